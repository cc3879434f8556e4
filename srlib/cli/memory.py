"""Settings of the memory allocator in a command's process."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def steady_memory() -> Iterator[None]:
    """Keep freed memory for the next layer while networks run, and give it back at the end.

    glibc maps every block above 32 MiB anew and unmaps it when it is freed, so each layer of a large image pays for the page
    faults of its output: a third of the time. Elsewhere than under glibc this does nothing. It changes the whole process, and
    glibc's own thresholds do not adapt any more afterwards: so the commands use it, and the library never does.
    """
    libc = ctypes.CDLL(None)
    if not (hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim")):
        yield
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # names of <malloc.h>
    for name, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 16 * 2**20)):
        libc.mallopt(name, value)
    # Fill the thread's cache of small blocks, seven of each size. An aligned block is cut out of a larger one, and the
    # cuttings, some 100 bytes at most, are freed. Those that the cache takes up are never joined to the block again when it is
    # freed, which is then too small for the next of its own size.
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
    for block in [libc.malloc(size) for size in range(8, 200, 16) for _ in range(7)]:
        libc.free(block)
    try:
        yield
    finally:
        for name, value in ((mmap_max, 65_536), (trim_threshold, 128 * 1024), (top_pad, 128 * 1024)):  # the manual's defaults
            libc.mallopt(name, value)
        libc.malloc_trim(0)
