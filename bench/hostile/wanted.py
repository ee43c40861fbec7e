"""The bounds that each attack is held to, in one table. A check is a name of this table and what was seen."""

# A quiet p99 below this counts as this: a busy machine's scheduler is no more exact.
FLOOR_MS = 5.0

# name: (comparison, bound, what it says)
WANTED = {
    "p99 ratio": ("<=", 2.0, "the p99 of others under attack, as a multiple of the quiet one"),
    "others failed": ("<=", 0, "requests of others that failed under attack"),
    "peak RSS MiB": ("<=", 256, "the resident memory of each daemon, at its peak"),
    "back s": ("<=", 10, "from the end of the attack until others are served"),
    "descriptors left": ("<=", 32, "descriptors that stay open after the attack, beside the quiet number"),
    "clean stop": ("==", True, "the daemons end on SIGTERM with 0, after all of it"),
    "staleness s": ("<=", 5, "the highest outport_node_staleness_seconds of a connected node"),
    "strangers at HTTP/2": ("<=", 0, "connections without a certificate that the fleet port answered in HTTP/2"),
    "header KiB taken": ("<=", 64, "a header block that the fleet port reads from a stranger"),
    "ready without a port": ("==", False, "/readyz answers 200 while the fleet port serves nobody"),
    "joined of 12": (">=", 12, "rightful machines that joined"),
    "cut s": ("<=", 1.0, "from the end of `user disable` until the download of that user ends"),
    "items listed": ("<=", 100, "the entries of one error"),
    "answer KiB": ("<=", 64, "the size of one error"),
    "headroom missing MiB": ("<=", 1, "how far below disk.headroom the free space falls"),
    "push after a restart": ("==", True, "others push after the store has restarted with the attack's leavings"),
    "warned before refusing": ("==", True, "/readyz or the status warns of a nearly full disk before a push fails"),
    "warned while refusing": ("==", True, "/readyz or the status warns of it while pushes fail"),
    "user refused": ("==", True, "a disabled user is refused although the disk is full"),
    "certificate refused": ("==", True, "a revoked certificate is refused although the disk is full"),
    "deletes while full": ("==", True, "a delete succeeds on the full disk"),
    "push with space back": ("==", True, "a push succeeds without a restart once there is space"),
    "refused after a restart": ("==", True, "the user and the certificate are still refused after a restart"),
    "right bytes": ("==", True, "what was pushed with 201 is pulled with the right bytes"),
    "first pull": ("==", True, "a node with a corrupt copy serves the first pull from the store"),
    "paused upload": ("==", True, "an upload whose source pauses for 45 s ends with 201"),
    "paused download": ("==", True, "a reader that stands still for 45 s gets all bytes"),
}


def is_kept(name, seen):
    comparison, bound, _ = WANTED[name]
    if seen is None:
        return False
    return {"<=": seen <= bound, ">=": seen >= bound, "==": seen == bound}[comparison]


def words(name):
    comparison, bound, _ = WANTED[name]
    if isinstance(bound, bool):
        return "yes" if bound else "no"
    return f"{comparison} {bound}"
