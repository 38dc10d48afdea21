"""What the independent readers have in common besides the formats: digests, and how a command of theirs ends."""
import hashlib
import sys

from reference_types import Refusal


def sha256(data):
    return hashlib.sha256(data).digest()


def run_command(parser):
    """Runs what the command line asks for. A file that cannot be read, or breaks its format, is told in one line."""
    options = parser.parse_args()
    try:
        options.run(options)
    except (Refusal, OSError, ImportError, ValueError, KeyError, MemoryError) as error:
        print(f"{getattr(options, 'file', '')}: {error}", file=sys.stderr)
        sys.exit(1)
