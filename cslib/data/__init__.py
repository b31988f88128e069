"""From files and warehouses to checked tables and counts."""
