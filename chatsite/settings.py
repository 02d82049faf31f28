"""Settings of the site. Every variable is described in docs/settings.md; tests hold the two together."""

from __future__ import annotations

from csp.constants import NONCE, NONE, SELF

from chatsite.assets import build_hash
from chatsite.attachments.reading.limits import Limits
from chatsite.environment import (
    BASE_DIR,
    data_dir,
    env,
    networks,
    oidc_provider,
    one_of,
    positive,
    secret_key,
)
from chatsite.logs import logging_config

DATA_DIR = data_dir()
SECRET_KEY = secret_key(DATA_DIR)
DEBUG = env.bool("CHATSITE_DEBUG", False)

HOST = env.str("HOST", "127.0.0.1")
PORT = positive("PORT", 8000)
ALLOWED_HOSTS = env.list("CHATSITE_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", HOST])
CSRF_TRUSTED_ORIGINS = env.list("CHATSITE_TRUSTED_ORIGINS", default=[])

# Behind a proxy that ends HTTPS; it must set X-Forwarded-Proto itself.
HTTPS = env.bool("CHATSITE_HTTPS", False)
# Who may tell us, by X-Forwarded-For, where a request comes from.
TRUSTED_PROXIES = networks("CHATSITE_TRUSTED_PROXIES")
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
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
    "allauth.socialaccount.providers.openid_connect",
    "csp",
    "django_structlog",
    "chatsite.audit",
    "chatsite.notices",
    "chatsite.accounts",
    "chatsite.conversations",
    "chatsite.attachments",
    "chatsite.quotas",
    "chatsite.generations",
    "chatsite.batches",
    "chatsite.openai_api",
    "chatsite.archive",
    "chatsite.console.apps.ConsoleConfig",
    "inference",
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
        # Diagrams are drawn in a frame without origin (chatsite/page/diagram.py).
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
DATABASE = env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'chatsite.sqlite3'}")
if DATABASE["ENGINE"].endswith("sqlite3"):
    DATABASE["OPTIONS"] = {
        # DEFERRED loses read-modify-writes; WAL lets readers pass the one writer.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32768;",
    }
    # A file, since every thread of a test has a connection of its own.
    DATABASE["TEST"] = {"NAME": DATA_DIR / f"test-{env.str('PYTEST_XDIST_WORKER', 'main')}.sqlite3"}
else:
    # CONN_MAX_AGE leaks connections under ASGI; the driver's pool does not.
    DATABASE["OPTIONS"] = {"pool": {"min_size": 2, "max_size": positive("CHATSITE_DATABASE_POOL", 16)}}
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", "")
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
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
# Passwords are counted by chatsite.ratelimit, exactly and for whole offices. What is left here counts wrong
# codes of the second factor, which only who knows the password comes to.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": "10/5m/key"}
SOCIALACCOUNT_ADAPTER = "chatsite.accounts.adapter.SingleSignOnAdapter"
SOCIALACCOUNT_PROVIDERS = oidc_provider()
# The provider vouches for addresses: who signs in there is the account of that address here, if an invitation
# or an administrator gave it (chatsite/accounts/addresses.py).
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
USERSESSIONS_ADAPTER = "chatsite.accounts.open_sessions.SessionsAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "add_webauthn": "chatsite.accounts.key_forms.AddKeyForm",
    "edit_webauthn": "chatsite.accounts.key_forms.EditKeyForm",
}
MFA_TOTP_ISSUER = "chatsite"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
# The console opens only to staff with a second factor.
STAFF_SECOND_FACTOR = env.bool("CHATSITE_STAFF_SECOND_FACTOR", False)
# Whether staff may read people's conversations. Each look is in the audit log.
STAFF_MAY_READ = env.bool("CHATSITE_STAFF_MAY_READ", False)
# Who has an address there may ask for a link to join, which is sent to it. Empty: by invitation only.
SIGNUP_DOMAINS = [domain.strip().lower() for domain in env.list("CHATSITE_SIGNUP_DOMAINS", default=[])]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
# Sites without a mail server work: links can be copied; with EMAIL_URL set they are sent. Without it nothing
# is written anywhere: links that let somebody in are nothing for a log.
SENDS_MAIL = bool(env.str("EMAIL_URL", ""))
vars().update(env.email_url_config(env.str("EMAIL_URL", "") or "dummymail://"))

# --- language -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "chatsite/locale"]
# USE_THOUSAND_SEPARATOR stays off: templates group by |intcomma where people read, and never ids or values.
FORMAT_MODULE_PATH = "chatsite.locale"
TIME_ZONE = env.str("CHATSITE_TIME_ZONE", "UTC")
USE_TZ = True

# --- static files: the address carries the hash of all of them, so relative imports stay valid -----
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STATIC_URL = f"/static/{build_hash()}/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "chatsite.static_storage.StaticStorage"},
}

# --- limits -------------------------------------------------------------------------------------
RATE_LIMIT_PER_MINUTE = positive("RATE_LIMIT_PER_MINUTE", 300)
UPLOADS_PER_MINUTE = positive("CHATSITE_UPLOADS_PER_MINUTE", 60)
WRONG_KEYS_PER_MINUTE = positive("CHATSITE_WRONG_KEYS_PER_MINUTE", 30)
# The reference's "at most 200 open connections": here generations running or waiting.
MAX_ACTIVE_GENERATIONS = positive("CHATSITE_MAX_ACTIVE_GENERATIONS", 200)
MAX_ACTIVE_PER_USER = positive("CHATSITE_MAX_ACTIVE_PER_USER", 20)
MAX_OUTPUT_TOKENS = positive("CHATSITE_MAX_OUTPUT_TOKENS", 2048)
SYSTEM_PROMPT = env.str("CHATSITE_SYSTEM_PROMPT", "")
TITLES = env.bool("CHATSITE_TITLES", True)
REASONING = one_of("CHATSITE_REASONING", ("auto", "opened", "off"))
MAX_UPLOAD_MB = positive("CHATSITE_MAX_UPLOAD_MB", 50)
MAX_STORED_MB = positive("CHATSITE_MAX_STORED_MB", 2048)
MAX_ATTACHMENTS = positive("CHATSITE_MAX_ATTACHMENTS", 20)
MAX_BATCH = positive("CHATSITE_MAX_BATCH", 100)
READ_LIMITS = Limits(
    seconds=positive("CHATSITE_READ_SECONDS", Limits.seconds),
    memory_mb=positive("CHATSITE_READ_MEMORY_MB", Limits.memory_mb),
    pages=positive("CHATSITE_READ_PAGES", Limits.pages),
    chars=positive("CHATSITE_READ_CHARS", Limits.chars),
)
MAX_SOCKETS_PER_USER = positive("CHATSITE_MAX_SOCKETS_PER_USER", 10)
MAX_SOCKETS = positive("CHATSITE_MAX_SOCKETS", 2000)
METRICS_TOKEN = env.str("CHATSITE_METRICS_TOKEN", "")
METRICS_PORT = positive("CHATSITE_METRICS_PORT", 8001)
MAX_IMPORT_BYTES = positive("CHATSITE_MAX_IMPORT_MB", 256) * 2**20
# Bytes of the largest body that any view takes, a program's request (files come in pieces): a full context of
# 262,144 tokens, with room for the escapes of JSON.
LARGEST_BODY = 4 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

LOGGING = logging_config(env.str("CHATSITE_LOG_LEVEL", "INFO"), env.str("CHATSITE_LOG_FORMAT", "console"))
LOGGING_CONFIG = "logging.config.dictConfig"
