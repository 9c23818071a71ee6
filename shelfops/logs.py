"""Keeps out of the logs what proves something by standing in an address.

Links of mails mute without logging in, and tickets of uploads stand for the log-in.
"""

import logging
import re

PROOF = re.compile(r"(/alerts/mute/|/imports/(?:files|check|progress)/)[^/\s\"'?]+")
GUNICORN = ("gunicorn.access", "gunicorn.error")


def without_proofs(text: str) -> str:
    return PROOF.sub(r"\1…", text)


class Redacting(logging.Filter):
    """Lets every record pass, with its proofs left out of the message and the traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_proofs(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = without_proofs(record.exc_text)
        return True


def keep_out_of(*loggers: logging.Logger) -> None:
    for logger in loggers:
        logger.addFilter(Redacting())
