"""What is done once before the nodes start: tables, and the users of the demo."""

import django
from django.core.management import call_command

if __name__ == "__main__":
    django.setup()

    from demo.users import create_demo_users

    call_command("migrate", verbosity=0)
    create_demo_users()
    print("The tables and the users are there.")
