"""The web console: pages that use the other doors, as files that were built beforehand."""
