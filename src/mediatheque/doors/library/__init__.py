"""The library: medias for people who look for them."""
