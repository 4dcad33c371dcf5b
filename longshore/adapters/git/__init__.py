"""Sources from git: an address and a ref in, a checked-out folder without ``.git`` out.

``sources`` says which addresses may be asked (pure), ``addresses`` where they lead, ``command`` runs one git process
under a deadline, ``fetcher`` joins them.
"""

from longshore.adapters.git.fetcher import GitFetcher, remove_tree
from longshore.adapters.git.sources import GitRules

__all__ = ["GitFetcher", "GitRules", "remove_tree"]
