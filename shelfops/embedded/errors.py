"""What goes wrong with the embedded engine, in words for the person at the keyboard."""


class EngineError(Exception):
    """The engine cannot do what was asked; the message says why and what to do."""


class AlreadyRunning(EngineError):
    pass


class PortOccupied(EngineError):
    pass


class DataFolderError(EngineError):
    pass
