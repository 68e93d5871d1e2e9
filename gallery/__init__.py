"""The gallery: one runnable script a picture, which `fastslow gallery` makes."""
