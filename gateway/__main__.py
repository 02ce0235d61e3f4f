"""`python -m dipgate`."""

import sys

from dipgate.cli import main

sys.exit(main())
