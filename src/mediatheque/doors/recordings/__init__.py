"""Door 1: medias that are received in chunks while they are being made."""
