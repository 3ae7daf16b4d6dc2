"""The four servers of OpenStack Swift, unchanged, each a process: python3 FILE FOLDER. The folder holds swift.conf, devices/one and
account.conf, container.conf, object.conf and proxy.conf. They end when the input does, however the test that started them ends."""
import os
import signal
import sys
import traceback

# Before all that is large is loaded: it searches everything in memory for locks, again and again.
import eventlet

eventlet.monkey_patch(all=False, socket=True, select=True, thread=True)

import swift.account.server
import swift.container.server
import swift.obj.server
import swift.proxy.server
from configparser import RawConfigParser
from swift.common import utils, wsgi
from swift.common.middleware.s3api import s3api
from swift.common.ring import RingBuilder

STORAGE = ("account", "container", "object")


def conf(folder, server):
    return os.path.join(folder, server + ".conf")


def write_ring(folder, server):
    """Everything is once on one device."""
    parser = RawConfigParser()
    parser.read(conf(folder, server))
    port = parser.getint("DEFAULT", "bind_port")
    ring = RingBuilder(part_power=2, replicas=1, min_part_hours=0)
    ring.add_dev({"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "one", "weight": 1})
    ring.rebalance()
    ring.get_ring().save(os.path.join(folder, server + ".ring.gz"))


def start(folder, server):
    pid = os.fork()
    if pid > 0:
        return pid
    try:
        wsgi.run_wsgi(conf(folder, server), server + "-server")
    except BaseException:
        traceback.print_exc()
    os._exit(1)


folder = sys.argv[1]
# Swift keeps what it knows of an object in attributes of its file.
os.setxattr(folder, "user.swift.test", b"1")
utils.set_swift_dir(folder)
for server in STORAGE:
    write_ring(folder, server)
pids = [start(folder, server) for server in STORAGE + ("proxy",)]
sys.stdin.read()
for pid in pids:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
