"""The names of changed copies of clips, which are there to train on and never to measure on."""

MARK = " #"


def copy_name(name: str, number: int) -> str:
    """The name of a clip's copy, from 1; 0 is the clip itself.

    >>> copy_name("mosei a[0-1]", 0), copy_name("mosei a[0-1]", 2)
    ('mosei a[0-1]', 'mosei a[0-1] #2')
    """
    return f"{name}{MARK}{number}" if number else name


def is_copy(name: str) -> bool:
    """Whether `copy_name` made it.

    >>> is_copy("mosei a[0-1]"), is_copy("mosei a[0-1] #2")
    (False, True)
    """
    return MARK in name
