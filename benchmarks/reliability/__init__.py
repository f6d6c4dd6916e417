"""What damaged, hostile and crowded files and folders do."""
