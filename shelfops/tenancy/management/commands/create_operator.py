from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from shelfops.tenancy.models import User
from shelfops.tenancy.roles import Role


class Command(BaseCommand):
    help = "Make a platform operator, who manages customers; asks for the password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")

    def handle(self, *args: Any, email: str, name: str, **options: Any) -> None:
        user = User(email=email.strip().lower(), name=name or email, role=Role.OPERATOR)
        password = getpass()
        try:
            validate_password(password, user)
            user.set_password(password)
            user.full_clean(validate_unique=False, validate_constraints=False)
            user.save(using="operator", force_insert=True)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except IntegrityError as error:
            raise CommandError(f"{email} is already in use.") from error
        self.stdout.write(f"Made the platform operator {user.email}.")
