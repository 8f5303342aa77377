"""The passwords that no process takes outside the embedded stack: defaults, examples, and what is quickly guessed."""

from urllib.parse import unquote, urlsplit

SHORTEST_PASSWORD = 12
GUESSED_FIRST = ("amparo", "postgres", "password", "changeme", "change-me", "secret", "example", "default", "admin")
"""What defaults and examples are made of."""


def weak_password(url: str) -> str:
    """What is wrong with the password of a database's URL; empty where nothing is, or where it holds none (a
    certificate or a password file then shows who connects). Never quotes it.
    """
    parts = urlsplit(url)
    if not url or parts.password is None:
        return ""
    password, user = unquote(parts.password).lower(), unquote(parts.username or "").lower()
    if len(password) < SHORTEST_PASSWORD:
        return f"its password is shorter than {SHORTEST_PASSWORD} characters"
    rest = password.replace(user, "") if user else password
    for word in GUESSED_FIRST:
        rest = rest.replace(word, "")
    if sum(character.isalnum() for character in rest) < SHORTEST_PASSWORD // 2 or len(set(password)) < 5:
        return "its password is a default or an example; generate one"
    return ""
