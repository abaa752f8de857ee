"""What runs chatitive_django on the engines of others."""
