"""HTTP in, JSON out. Validates, asks who it is, calls one service, shows a view; nothing more."""
