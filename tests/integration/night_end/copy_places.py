"""Places of second copies for tests: a folder, a server that speaks S3, and stores that are faulty."""

from contextlib import contextmanager

from nightshift.archive import place_in_use
from nightshift.archive.folder_place import FolderPlace
from nightshift.settings.copies import CopyPolicy


def with_copies(context, **policy):
    """Return the context with settings of second copies; by default in a folder beside the depot."""
    policy = {"to": "copies", "same_device": True, "mail_waits_s": 60.0, **policy}
    survey = context.survey.model_copy(update={"copies": CopyPolicy(**policy)})
    return context.with_survey(survey)


class Truncating(FolderPlace):
    """Keeps less than it acknowledges, as often as it is told to."""

    def __init__(self, root, times):
        super().__init__(root)
        self.times = times

    def write(self, key, chunks, size):
        if key == place_in_use.MARKER or self.times <= 0:
            return super().write(key, chunks, size)
        self.times -= 1
        content = b"".join(chunks)
        return super().write(key, [content[: len(content) // 2]], size)


@contextmanager
def s3_server():
    """Run moto's server of S3, and yield its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()
