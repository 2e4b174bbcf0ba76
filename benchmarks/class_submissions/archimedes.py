import os

line = b"0123456789" * 100_000 + b"\n"
while True:
    os.write(1, line)
