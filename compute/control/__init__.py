"""What a caller may do, and the row and the cast that start it. No HTTP, no hypervisor."""
