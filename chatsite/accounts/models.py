"""Tables of accounts: User, ApiKey, Invitation, GroupManager."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chatsite.accounts.addresses import check_address, rows_of_address
from chatsite.accounts.socket_events import tell_after_commit


class Role(models.TextChoices):
    """What a person may do on the site. Staff reads no conversations."""

    OWNER = "owner", _("owner")
    ADMINISTRATOR = "administrator", _("administrator")
    AUDITOR = "auditor", _("auditor (may look)")
    MEMBER = "member", _("member")


class UserManager(BaseUserManager["User"]):
    """Makes users, and finds them by address, in whatever case it is written."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A member. Without a password the account cannot sign in by one.

        Raises ValidationError for an address that is not plain ASCII.
        """
        user = self.model(email=check_address(email.strip()), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})

    def with_address(self, address: str) -> User | None:
        """The account of this address, active or not."""
        return next(iter(rows_of_address(self.all(), address)), None)

    def get_by_natural_key(self, username: str | None) -> User:
        user = self.with_address(username or "")
        if user is None:
            raise self.model.DoesNotExist(f"{username!r}: there is no such account.")
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person of the team. `language` and `theme` empty: as the browser says."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    is_staff = models.BooleanField(default=False)
    is_auditor = models.BooleanField(default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)
    language = models.CharField(max_length=16, blank=True)
    theme = models.CharField(max_length=8, blank=True)

    objects: ClassVar[UserManager] = UserManager()
    _stored_password = ""

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_any_case",
                violation_error_code="unique",
                violation_error_message=_("There is an account with this address already."),
            )
        ]

    def __str__(self) -> str:
        return self.email

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, **options: Any) -> Self:
        user = super().from_db(db, field_names, values, **options)
        user._stored_password = user.__dict__.get("password", "")
        return user

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; another password ends the sessions of the former one, and their sockets."""
        super().save(*args, **kwargs)
        password = self.__dict__.get("password", "")
        if self._stored_password and password != self._stored_password:
            tell_after_commit(self.pk)
        self._stored_password = password

    @property
    def role(self) -> Role:
        """The role, which the flags spell out."""
        if self.is_superuser:
            return Role.OWNER
        if not self.is_staff:
            return Role.MEMBER
        return Role.AUDITOR if self.is_auditor else Role.ADMINISTRATOR

    @role.setter
    def role(self, role: Role | str) -> None:
        self.is_superuser = role == Role.OWNER
        self.is_staff = role != Role.MEMBER
        self.is_auditor = role == Role.AUDITOR

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """By role: administrators may do everything in the console, auditors may view it."""
        if not self.is_active or not self.is_staff:
            return False
        return not self.is_auditor or perm.partition(".")[2].startswith("view_")

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_staff

    @property
    def display_name(self) -> str:
        """The name, else what stands before the @."""
        return self.name or self.email.partition("@")[0]


class ApiKey(models.Model):
    """A key for `/v1`: a program acts as its owner. Only its first characters and its hash are stored.

    `token_budget` is all that it may ever use, None for no bound of its own; `tokens_used` is what ended
    generations were charged. Both lie inside the owner's quota.
    """

    class Scope(models.TextChoices):
        MODELS = "models"
        CHAT = "chat"
        USAGE = "usage"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys", verbose_name=_("person")
    )
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("begins with"), max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes: models.JSONField[list[str], list[str]] = models.JSONField(_("permissions"))
    token_budget = models.PositiveBigIntegerField(
        _("tokens in all"), null=True, blank=True, help_text=_("Empty: only the person's own limits hold.")
    )
    tokens_used = models.PositiveBigIntegerField(_("used"), default=0)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, help_text=_("Empty: never."))
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"


class Invitation(models.Model):
    """A single-use link to create an account, valid until `ends_at`. Only the hash of its token is stored."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    email = models.EmailField(_("e-mail"), blank=True, help_text=_("Empty: for anyone with the link."))
    role = models.CharField(_("role"), max_length=13, choices=Role, default=Role.MEMBER)
    group = models.ForeignKey(
        "auth.Group", models.SET_NULL, null=True, blank=True, verbose_name=_("group"), related_name="+"
    )
    ends_at = models.DateTimeField(_("expires"))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        verbose_name=_("created by"),
        related_name="invitations_made",
    )
    used_at = models.DateTimeField(null=True, editable=False)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        verbose_name=_("used by"),
        related_name="+",
    )

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")

    def __str__(self) -> str:
        return f"{self.email or _('anyone with the link')} ({self.get_role_display()})"


class GroupManager(models.Model):
    """A user who sees a group's usage and members and invites into it. No other right comes with it."""

    group = models.ForeignKey("auth.Group", models.CASCADE, related_name="managers", verbose_name=_("group"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="managed", verbose_name=_("manager")
    )

    class Meta:
        verbose_name = _("manager")
        verbose_name_plural = _("managers")
        constraints = [models.UniqueConstraint(fields=["group", "user"], name="manager_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.group}"
