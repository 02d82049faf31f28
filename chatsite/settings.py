"""Settings of the site. Every variable is described in docs/settings.md; tests hold the two together."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

from csp.constants import NONCE, NONE, SELF

from chatsite.attachments.reading.limits import ReadLimits
from chatsite.environment import BASE_DIR
from chatsite.environment.data_dir import (
    kept_secret_key,
    make_database_private,
    prepare_data_dir,
    site_database,
)
from chatsite.environment.declared import oidc_provider, read_environment
from chatsite.environment.parsers import email_url, mail_sender
from chatsite.logs import logging_config
from chatsite.server.assets import build_hash

values = read_environment()

DATA_DIR = values["CHATSITE_DATA_DIR"]
DATABASE = site_database(values)
prepare_data_dir(DATA_DIR)
SECRET_KEY = values["CHATSITE_SECRET_KEY"] or kept_secret_key(
    DATA_DIR, DATABASE, restoring=sys.argv[1:2] == ["restore"]
)
# Former ones: what they signed or encrypted is still taken.
SECRET_KEY_FALLBACKS = values["CHATSITE_SECRET_KEY_FALLBACKS"]
DEBUG = values["CHATSITE_DEBUG"]

HOST = values["HOST"]
PORT = values["PORT"]
ALLOWED_HOSTS = values["CHATSITE_ALLOWED_HOSTS"] or ["localhost", "127.0.0.1", "[::1]", HOST]
# Where links in mails lead.
PUBLIC_URL = values["CHATSITE_PUBLIC_URL"]
CSRF_TRUSTED_ORIGINS = values["CHATSITE_TRUSTED_ORIGINS"]
# Whose pages may ask /v1, with keys of their own (chatsite/server/cors.py).
API_ORIGINS = values["CHATSITE_API_ORIGINS"]

# Behind a proxy that ends HTTPS; it must set X-Forwarded-Proto itself.
HTTPS = values["CHATSITE_HTTPS"]
# Proxies whose X-Forwarded-For is believed.
TRUSTED_PROXIES = values["CHATSITE_TRUSTED_PROXIES"]
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
# CHATSITE_HTTPS decides HSTS and secure cookies together, and chatsite.W004 tells of it. The proxy redirects,
# as health checks come without it; subdomains and preload lists are for their domain's owner to decide.
SILENCED_SYSTEM_CHECKS = [f"security.W{number}" for number in ("004", "005", "008", "012", "016", "021")]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "inference",  # before staticfiles: `collectstatic` is its own
    "daphne",  # before staticfiles, as its documentation asks
    "chatsite.console.apps.ConsoleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "chatsite.accounts.openid",
    "csp",
    "django_structlog",
    "chatsite.audit",
    "chatsite.announcements",
    "chatsite.accounts",
    "chatsite.conversations",
    "chatsite.attachments",
    "chatsite.quotas",
    "chatsite.generations",
    "chatsite.batches",
    "chatsite.openai_api",
    "chatsite.archive",
    "chatsite.jobs",
    "chatsite.retention",
    "chatsite.transfer",
    "chatsite.account_deletion",
    "chatsite.backup",
    "chatsite.console.apps.ConsoleConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "chatsite.pages.private.private_pages",
    "chatsite.pages.refused.refused_pages",
]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        # Diagrams are drawn in a frame without origin (chatsite/pages/diagram.py).
        "frame-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

ROOT_URLCONF = "chatsite.urls"
ASGI_APPLICATION = "chatsite.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- data ---------------------------------------------------------------------------------------
if DATABASE["ENGINE"].endswith("sqlite3"):
    make_database_private(Path(DATABASE["NAME"]))
    DATABASE["OPTIONS"] = {
        # DEFERRED loses read-modify-writes; WAL lets readers pass the one writer; what is erased is
        # overwritten.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32768;"
        " PRAGMA secure_delete=ON;",
    }
    # A file, since every thread of a test has a connection of its own.
    DATABASE["TEST"] = {"NAME": DATA_DIR / f"test-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}.sqlite3"}
else:
    DATABASE["CONN_HEALTH_CHECKS"] = True  # of a connection that the pool lends: the server may have ended it
    DATABASE["OPTIONS"] = {
        # A server that is away, or a path that is silent, is noticed within ten seconds.
        "connect_timeout": 5,
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 4,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        **DATABASE["OPTIONS"],  # of DATABASE_URL
        # CONN_MAX_AGE leaks connections under ASGI; the driver's pool does not.
        "pool": {"min_size": 2, "max_size": values["CHATSITE_DATABASE_POOL"], "timeout": 10},
        # A process knows its own connections on the server by it; the number is unique on one machine only.
        "application_name": f"chatsite {os.getpid()} {secrets.token_hex(4)}",
    }
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = values["REDIS_URL"]
CACHES: dict[str, dict[str, Any]]
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "chatsite.redis_cache.JsonRedisCache", "LOCATION": REDIS_URL}}
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            # The layer reads with a blocking call of 5 s, which is also redis-py 8's own socket timeout:
            # an idle socket would end with an error.
            "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": 30}]},
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            # Rate limits are counted here; at the default of 300 entries a hundred people push them out.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    }
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# --- accounts -----------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["chatsite.accounts.hashing.QueuedPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "chatsite.accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
# Or anybody could have mail sent to anybody.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_FORMS = {
    "login": "chatsite.accounts.address_forms.SignInForm",
    "reset_password": "chatsite.accounts.address_forms.PasswordResetForm",
}
# Passwords are counted by chatsite.ratelimit, exactly and for whole offices. What is left here counts wrong
# codes of the second factor, which only who knows the password comes to.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": "10/5m/key"}
SOCIALACCOUNT_ADAPTER = "chatsite.accounts.adapter.SingleSignOnAdapter"
# For development alone: anybody on the way to the provider could sign in as anybody.
OIDC_ALLOW_HTTP = values["CHATSITE_OIDC_ALLOW_HTTP"]
# Whether a first single sign-on creates an account; else only by invitation.
OIDC_SIGNUP = values["CHATSITE_OIDC_SIGNUP"]
SOCIALACCOUNT_PROVIDERS = oidc_provider(values)
# Single sign-on matches accounts by e-mail address, where the address is verified on both sides
# (chatsite/accounts/verified_addresses.py).
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
# Connecting or removing a provider's account asks for the password or the second factor again.
SOCIALACCOUNT_REAUTHENTICATION_REQUIRED = True
MFA_ADAPTER = "chatsite.accounts.factor_secrets.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "add_webauthn": "chatsite.accounts.passkey_forms.AddKeyForm",
    "edit_webauthn": "chatsite.accounts.passkey_forms.EditKeyForm",
    "login_webauthn": "chatsite.accounts.passkey_forms.SignInByKeyForm",
    "authenticate_webauthn": "chatsite.accounts.passkey_forms.SecondFactorKeyForm",
    "reauthenticate_webauthn": "chatsite.accounts.passkey_forms.ReauthenticateByKeyForm",
}
MFA_TOTP_ISSUER = "chatsite"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
# The console opens only to staff with a second factor.
STAFF_SECOND_FACTOR = values["CHATSITE_STAFF_SECOND_FACTOR"]
# Whether staff may read people's conversations. Each look is in the audit log.
STAFF_MAY_READ = values["CHATSITE_STAFF_MAY_READ"]
# Who has an address there may ask for a link to join, which is sent to it, or joins by single sign-on. Empty:
# no such link, and single sign-on asks for no domain.
SIGNUP_DOMAINS = values["CHATSITE_SIGNUP_DOMAINS"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
# Without a mail server links are copied by hand; with EMAIL_URL they are mailed. Without it mail is discarded
# rather than logged, since its links grant access.
SENDS_MAIL = bool(values["EMAIL_URL"])
vars().update(values["EMAIL_URL"] or email_url("dummymail://"))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = values["CHATSITE_MAIL_FROM"] or mail_sender(
    (values["EMAIL_URL"] or {}).get("EMAIL_HOST_USER", ""), PUBLIC_URL
)

# --- language -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "chatsite/locale"]
# USE_THOUSAND_SEPARATOR stays off: templates group by |intcomma where people read, and never ids or values.
FORMAT_MODULE_PATH = "chatsite.locale"
TIME_ZONE = values["CHATSITE_TIME_ZONE"]
USE_TZ = True

# --- static files: folder and address carry the hash of all of them, so relative imports stay valid ---
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static" / build_hash()
STATIC_URL = f"/static/{build_hash()}/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "chatsite.server.static_storage.StaticStorage"},
}

# --- limits -------------------------------------------------------------------------------------
RATE_LIMIT_PER_MINUTE = values["RATE_LIMIT_PER_MINUTE"]
UPLOADS_PER_MINUTE = values["CHATSITE_UPLOADS_PER_MINUTE"]
WRONG_KEYS_PER_MINUTE = values["CHATSITE_WRONG_KEYS_PER_MINUTE"]
# The reference's "at most 200 open connections": here generations running or waiting.
MAX_ACTIVE_GENERATIONS = values["CHATSITE_MAX_ACTIVE_GENERATIONS"]
MAX_ACTIVE_PER_USER = values["CHATSITE_MAX_ACTIVE_PER_USER"]
MAX_OUTPUT_TOKENS = values["CHATSITE_MAX_OUTPUT_TOKENS"]
SYSTEM_PROMPT = values["CHATSITE_SYSTEM_PROMPT"]
TITLES = values["CHATSITE_TITLES"]
REASONING = values["CHATSITE_REASONING"]
PREFIX_CACHE_DOMAIN = values["CHATSITE_PREFIX_CACHE_DOMAIN"]
MAX_UPLOAD_MB = values["CHATSITE_MAX_UPLOAD_MB"]
MAX_STORED_MB = values["CHATSITE_MAX_STORED_MB"]
MAX_ATTACHMENTS = values["CHATSITE_MAX_ATTACHMENTS"]
MAX_BATCH = values["CHATSITE_MAX_BATCH"]
READ_LIMITS = ReadLimits(
    seconds=values["CHATSITE_READ_SECONDS"],
    memory_mb=values["CHATSITE_READ_MEMORY_MB"],
    pages=values["CHATSITE_READ_PAGES"],
    chars=values["CHATSITE_READ_CHARS"],
)
MAX_SOCKETS_PER_USER = values["CHATSITE_MAX_SOCKETS_PER_USER"]
MAX_SOCKETS = values["CHATSITE_MAX_SOCKETS"]
# Wide: a whole office may share one address. Trusted proxies have no cap.
MAX_CONNECTIONS_PER_ADDRESS = values["CHATSITE_MAX_CONNECTIONS_PER_ADDRESS"]
METRICS_TOKEN = values["CHATSITE_METRICS_TOKEN"]
METRICS_PORT = values["CHATSITE_METRICS_PORT"]
# How long what is being answered may go on after SIGTERM: as long as the longest answer of a person. What
# stops the process has to wait longer (deploy/).
DRAIN_S = values["CHATSITE_DRAIN_S"]
MAX_IMPORT_BYTES = values["CHATSITE_MAX_IMPORT_MB"] * 2**20
# Bytes of the largest body that any view takes, a program's request (files come in pieces): a full context of
# 262,144 tokens, with room for the escapes of JSON.
LARGEST_BODY = 4 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

LOGGING = logging_config(values["CHATSITE_LOG_LEVEL"], values["CHATSITE_LOG_FORMAT"])
LOGGING_CONFIG = "logging.config.dictConfig"
