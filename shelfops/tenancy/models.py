"""Customers (the tenants), their users, and the log of operators acting for them."""

from typing import Any
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from shelfops.tenancy.context import bound_by_the_server, current_customer_id
from shelfops.tenancy.roles import STORE_SCOPED, Role, permissions_of
from shelfops.tenancy.versions import Versioned


class Customer(Versioned):
    """One retail company. The database shows a customer to itself and to operators only."""

    customer_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=255)
    currency = models.CharField(
        max_length=3, default="USD", help_text="ISO 4217 code of every amount, such as USD."
    )
    is_active = models.BooleanField(
        "active", default=True, help_text="Users of an inactive customer cannot log in."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "customers"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TenantModel(models.Model):
    """A row of one customer: the current one, unless said otherwise."""

    customer = models.ForeignKey(
        Customer, models.PROTECT, default=current_customer_id, editable=False, related_name="+"
    )

    class Meta:
        abstract = True

    def validate_constraints(self, exclude: Any = None) -> None:
        """Check uniqueness with the customer included, and name the field that is taken.

        Django leaves out a constraint with a field that the form does not show, here always
        `customer`, and the database would answer with an error instead of the form.
        """
        try:
            super().validate_constraints(exclude=set(exclude or ()) - {"customer"})
        except ValidationError as error:
            raise ValidationError(self._errors_at_fields(error)) from error

    def _errors_at_fields(self, error: ValidationError) -> dict[str, list[ValidationError]]:
        errors: dict[str, list[ValidationError]] = {}
        for field, problems in error.error_dict.items():
            for problem in problems:
                taken = list((problem.params or {}).get("unique_check", ()))[-1:]
                if taken:
                    label = self._meta.get_field(taken[0]).verbose_name  # type: ignore[union-attr]
                    problem = ValidationError(f"This {label} is already in use.", code="unique")
                errors.setdefault(taken[0] if taken else field, []).append(problem)
        return errors


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        """E-mail addresses are stored in lower case."""
        return self.get(email=(username or "").strip().lower())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(Versioned, AbstractBaseUser):
    """A person who logs in by e-mail: of one customer, or a platform operator of none."""

    user_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    email = models.EmailField("e-mail", max_length=254, unique=True)
    name = models.CharField(max_length=255)
    role = models.CharField(max_length=16, choices=Role)
    is_active = models.BooleanField(
        "active", default=True, help_text="Switch off instead of deleting: the history stays."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    # True while a platform operator acts as a customer; the middleware sets it.
    acting = False

    class Meta:
        db_table = "users"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.strip().lower()

    def save(self, *args: Any, using: str | None = None, **kwargs: Any) -> None:
        """Keep the password's hash out of the statement's text."""
        alias = using or self._state.db or "default"
        with bound_by_the_server(alias):
            super().save(*args, using=alias, **kwargs)

    @property
    def is_staff(self) -> bool:
        """The admin is the shell of the whole product, so every user may enter it."""
        return self.is_active

    @property
    def is_operator(self) -> bool:
        return self.role == Role.OPERATOR

    @property
    def is_store_scoped(self) -> bool:
        return self.role in STORE_SCOPED

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return self.is_active and perm in permissions_of(self.role, acting=self.acting)

    def has_perms(self, perms: list[str], obj: object = None) -> bool:
        return all(self.has_perm(perm) for perm in perms)

    def has_module_perms(self, app_label: str) -> bool:
        held = permissions_of(self.role, acting=self.acting)
        return self.is_active and any(perm.startswith(f"{app_label}.") for perm in held)

    def get_short_name(self) -> str:
        return self.name.split(" ")[0]

    def get_full_name(self) -> str:
        return self.name


class LogIn(models.Model):
    """One log-in, or one that failed; rows are never changed."""

    class Outcome(models.TextChoices):
        IN = "in", "Logged in"
        FAILED = "failed", "Failed"

    log_in_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    # An operator's is of no customer.
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, editable=False, related_name="+"
    )
    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_constraint=False)
    outcome = models.CharField(max_length=8, choices=Outcome)
    address = models.GenericIPAddressField(null=True)
    is_known = models.BooleanField("known device")
    at = models.DateTimeField("when", default=timezone.now)

    class Meta:
        db_table = "log_ins"
        ordering = ["-at"]
        verbose_name = "log-in"

    def __str__(self) -> str:
        return f"{self.user}: {self.get_outcome_display()}"


class CustomerAccess(TenantModel):
    """One start or end of an operator's acting as a customer; rows are never changed."""

    class Action(models.TextChoices):
        START = "start", "Started acting"
        STOP = "stop", "Stopped acting"

    access_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    operator_email = models.EmailField("operator", max_length=254)
    action = models.CharField(max_length=8, choices=Action)
    reason = models.CharField(max_length=255)
    at = models.DateTimeField("when", default=timezone.now)
    ends_at = models.DateTimeField("ends at the latest", null=True)  # of a start

    class Meta:
        db_table = "customer_access"
        ordering = ["-at"]
        verbose_name = "operator access"
        verbose_name_plural = "operator access"

    def __str__(self) -> str:
        return f"{self.operator_email}: {self.get_action_display()}"
