"""Who is limited, to how many, and who gives way."""
