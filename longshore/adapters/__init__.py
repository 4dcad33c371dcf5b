"""How things are done: one adapter per part of the world outside; its errors are translated here."""
