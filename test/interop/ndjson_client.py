"""Speaks lines of JSON to a server: calls side by side, a stream, a cancel, an event, bytes, an end."""
import asyncio, base64, itertools, json, sys


class Client:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.ids, self.waiting = itertools.count(1), {}

    def write(self, **line):
        self.writer.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def open(self, pattern, **line):
        """Sends a request; its answers come through the queue."""
        number = next(self.ids)
        self.waiting[number] = asyncio.Queue()
        self.write(id=number, pattern=pattern, **line)
        return number, self.waiting[number]

    async def call(self, pattern, **line):
        _, answers = self.open(pattern, **line)
        return await answers.get()

    async def stream(self, pattern, **line):
        """Gives the answers up to the one that ends the call."""
        _, answers = self.open(pattern, **line)
        while "next" in (answer := await answers.get()):
            yield answer
        yield answer

    async def read(self):
        """Gives each line to the one who waits for it, until the server's end."""
        async for text in self.reader:
            line = json.loads(text)
            await self.waiting[line.pop("id")].put(line)


async def main():
    client = Client(*await asyncio.open_unix_connection(sys.argv[1]))
    reading = asyncio.create_task(client.read())
    say = lambda **what: print(json.dumps(what), flush=True)

    # the first one is held back by the server until the last one has come
    calls = [client.call("turn", data=turn) for turn in range(3)]
    say(turns=[answer["response"] for answer in await asyncio.gather(*calls)])
    say(sum=await client.call({"cmd": "sum"}, data=[1, 2, 3], metadata={"trace": "a1"}))
    say(text=await client.call("echo", data="Zażółć 😀"))
    sent = bytes(range(256))
    answer = await client.call("echo", dataBytes=base64.b64encode(sent).decode())
    say(bytes=base64.b64decode(answer["responseBytes"]) == sent)
    say(refused=await client.call("refuse"))
    say(missing=(await client.call("missing"))["error"]["code"])
    say(late=(await client.call("endless", timeoutMs=20))["error"]["code"])

    say(stream=[answer async for answer in client.stream("count", data=3)])
    number, endless = client.open("endless", data="cancelled")
    await client.call("started", data="cancelled")
    client.write(id=number, cancel=True)
    say(cancelled=await client.call("stopped", data="cancelled"), told=endless.qsize())
    client.write(pattern="noted", data={"line": 1})

    # no more calls: what is under way is answered, then the server ends
    last = asyncio.create_task(client.call("after-end"))
    await asyncio.sleep(0)
    client.writer.write_eof()
    say(last=await last)
    await reading
    say(ended=True)


asyncio.run(main())
