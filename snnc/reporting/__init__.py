"""What people and programs are shown: tables, JSON, pictures, the page."""
