"""Sends bytes over a Unix socket, reads until as many have come back, and prints them."""
import argparse, socket, sys, threading

options = argparse.ArgumentParser()
options.add_argument("path")
options.add_argument("--message", default="This is the message, This will be echoed back")
options.add_argument("--bytes", type=int, help="so many bytes, in place of the message")
options.add_argument("--byte-at-a-time", action="store_true")
options.add_argument("--send-first", action="store_true", help="read nothing until all was sent")
given = options.parse_args()

message = given.message.encode()
if given.bytes is not None:
    message = (bytes(range(251)) * (given.bytes // 251 + 1))[: given.bytes]
step = 1 if given.byte_at_a_time else max(1, len(message))

client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
try:
    client.connect(given.path)
except OSError as error:
    sys.exit(str(error))


def send():
    for start in range(0, len(message), step):
        client.sendall(message[start : start + step])


# else beside the reading: neither end has room for all of a long message
if given.send_first:
    try:
        send()
    except OSError as error:
        sys.exit(str(error))
else:
    threading.Thread(target=send, daemon=True).start()
received = b""
while len(received) < len(message):
    data = client.recv(65536)
    if not data:
        sys.exit(f"the server closed the connection after {len(received)} of {len(message)} bytes")
    received += data
client.close()
sys.stdout.buffer.write(received)
