"""Door 0: transfers of local files to the store."""
