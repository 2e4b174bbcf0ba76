import os
import time

for _ in range(11):  # 2,048 processes, if nobody minds
    try:
        os.fork()
    except OSError:
        time.sleep(0.1)
time.sleep(3600)
