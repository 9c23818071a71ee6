"""Forms of people and customers."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.forms import AdminPasswordChangeForm, AuthenticationForm, UserCreationForm
from unfold.widgets import UnfoldAdminTextareaWidget

from shelfops.tenancy.models import Customer, User
from shelfops.tenancy.roles import Role
from shelfops.tenancy.throttle import attempt_of, words
from shelfops.versions import VersionedForm

# What a customer's admin may give; platform operators belong to no customer.
ROLES = [(role.value, role.label) for role in Role if role != Role.OPERATOR]
# The same words whoever has the address, since it may be another customer's user.
ADDRESS_TAKEN = "This address cannot be used."


class LoginForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "This e-mail address and password do not match an active account."
        " Upper and lower case matter in the password.",
        "inactive": "This account is switched off.",
        "throttled": "There were too many wrong passwords. Try again in {}. Until then no password"
        " is checked, not even the right one.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        email = self.fields["username"]
        email.label = "E-mail address"
        email.widget.input_type = "email"
        email.error_messages["required"] = "Enter your e-mail address."
        self.fields["password"].error_messages["required"] = "Enter your password."

    def get_invalid_login_error(self) -> ValidationError:
        attempt = attempt_of(self.request)
        if attempt is not None and attempt.wait:
            text = self.error_messages["throttled"].format(words(attempt.wait))
            return ValidationError(text, code="throttled")
        return ValidationError(self.error_messages["invalid_login"], code="invalid_login")


class RoleAndAddress(VersionedForm):
    """What adding and changing a user share; `taken` is an address the database refused."""

    taken: str | None = None
    customer: Customer | None = None

    class Meta:
        model = User
        fields = ["name", "email", "role", "is_active"]
        error_messages = {"email": {"unique": ADDRESS_TAKEN}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "role" in self.fields:
            self.fields["role"].choices = [("", "Select a role"), *ROLES]  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        if email == self.taken:
            raise ValidationError(ADDRESS_TAKEN, code="unique")
        return email


class UserAddForm(RoleAndAddress, UserCreationForm):
    usable_password = None  # everybody logs in with a password

    class Meta(RoleAndAddress.Meta):
        field_classes: dict[str, Any] = {}

    def validate_password_for_user(self, user: User, *args: Any, **kwargs: Any) -> None:
        """With the company's name in mind."""
        user.customer = self.customer
        super().validate_password_for_user(user, *args, **kwargs)


class SetPasswordForm(AdminPasswordChangeForm):
    """A colleague's new password."""

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields.pop("usable_password", None)
        for name in ("password1", "password2"):
            self.fields[name].required = True


class CustomerForm(VersionedForm):
    class Meta:
        model = Customer
        fields = ["name", "currency", "is_active"]

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"].strip().upper()
        if not re.fullmatch("[A-Z]{3}", currency):
            raise ValidationError("Use the three letters of an ISO 4217 code, such as USD.")
        return currency


class ActForm(forms.Form):
    reason = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "autofocus": True}),
        help_text="The customer's administrators can read it, with your address and the time.",
        error_messages={"required": "Say why: it is written to the customer's log."},
    )
