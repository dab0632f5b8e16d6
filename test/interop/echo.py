import json, socket, sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    lines = server.makefile("rw", encoding="utf-8")
    print(json.dumps({"id": 1, "pattern": "echo", "data": sys.argv[2]}), file=lines, flush=True)
    answer = json.loads(lines.readline())
    print(answer.get("response", answer))
