"""Loaded by Python ahead of any program (PYTHONPATH): moves the time that it sees by the seconds in a file."""

import datetime
import os
import time

_path = os.environ.get("SANDBOX_AHEAD_FILE")
_time, _gmtime, _localtime = time.time, time.gmtime, time.localtime


def _ahead():
    with open(_path, encoding="ascii") as file:
        return float(file.read())


class _Moved(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls):
        return cls.fromtimestamp(time.time(), datetime.timezone.utc).replace(tzinfo=None)


if _path:
    time.time = lambda: _time() + _ahead()
    time.gmtime = lambda seconds=None: _gmtime(time.time() if seconds is None else seconds)
    time.localtime = lambda seconds=None: _localtime(time.time() if seconds is None else seconds)
    datetime.datetime = _Moved
