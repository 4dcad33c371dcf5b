"""Source archives in and out: everything that arrives is rewritten into one clean tar before anyone else reads it.

Nothing is ever unpacked to disk. ``rewrite_archive`` and ``pack_folder`` make clean tars (GNU format, because BuildKit
takes a PAX tar for a Dockerfile); ``TarTree`` and ``build_context`` only read clean ones.
"""

from longshore.adapters.archives.context import TarTree, build_context
from longshore.adapters.archives.folder import pack_folder
from longshore.adapters.archives.rewrite import rewrite_archive
from longshore.adapters.archives.rules import ArchiveLimits

__all__ = ["ArchiveLimits", "TarTree", "build_context", "pack_folder", "rewrite_archive"]
