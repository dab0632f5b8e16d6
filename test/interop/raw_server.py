"""Listens on a Unix socket and gives back whatever comes, to one client after the other."""
import os, socket, sys

path = sys.argv[1]
try:
    os.unlink(path)
except FileNotFoundError:
    pass

server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(path)
server.listen(16)
print("listening", flush=True)

while True:
    connection, _ = server.accept()
    print("connected", flush=True)
    with connection:
        try:
            while data := connection.recv(4096):
                connection.sendall(data)
        except OSError as error:
            print("broken:", error.strerror, flush=True)
        else:
            print("done", flush=True)
