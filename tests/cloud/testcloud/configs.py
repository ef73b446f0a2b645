"""Configuration files: the templates of ``etc/`` filled in. No file of a package in /etc is touched."""

from __future__ import annotations

from string import Template

from testcloud.settings import HERE, Settings

DATABASES = ("keystone", "glance", "placement", "nova_api", "nova_cell0", "nova", "neutron", "heat")
USERS = ("nova", "glance", "placement", "neutron", "heat")
RABBIT = "rabbit://guest:guest@127.0.0.1:5672/"


def database_url(settings: Settings, name: str) -> str:
    """For SQLAlchemy; through the socket, as the root of a server that nobody else can reach."""
    return f"mysql+pymysql://root@localhost/{name}?unix_socket={settings.directory}/mysql.sock&charset=utf8"


def database(settings: Settings, name: str) -> str:
    """A service's [database] section."""
    return f"connection = {database_url(settings, name)}\nmax_pool_size = 5\nmax_overflow = 20"


def login(settings: Settings, user: str) -> str:
    """How a service logs in to keystone."""
    values = {
        "auth_type": "password",
        "auth_url": f"http://{settings.ip}:5000",
        "project_domain_id": "default",
        "user_domain_id": "default",
        "project_name": "service",
        "username": user,
        "password": settings.password,
    }
    return "\n".join(f"{key} = {value}" for key, value in values.items())


def authtoken(settings: Settings, user: str) -> str:
    """How a service checks its callers' tokens."""
    return (
        f"www_authenticate_uri = http://{settings.ip}:5000\nmemcached_servers = 127.0.0.1:11211\n"
        f"service_token_roles_required = true\n{login(settings, user)}"
    )


def values(settings: Settings) -> dict[str, str]:
    """Everything a template may name."""
    plain = ("directory", "etc", "log", "state", "password", "encryption_key", "hostname", "ip", "flat_inner")
    filled = {name: str(getattr(settings, name)) for name in plain}
    filled["rabbit"] = RABBIT
    filled |= {f"database_{name}": database(settings, name) for name in DATABASES}
    for user in USERS:
        filled[f"login_{user}"] = f"{login(settings, user)}\nregion_name = RegionOne"
        filled[f"authtoken_{user}"] = authtoken(settings, user)
    return filled


def write(settings: Settings) -> None:
    """All files; a file whose contents would not change is left alone."""
    settings.etc.mkdir(mode=0o700, exist_ok=True)
    for name in ("log", "run", "state", "home", "tmp"):
        (settings.directory / name).mkdir(exist_ok=True)
    for name in ("glance/images", "glance/staging", "keystone", "nova/instances", "nova-fake", "neutron", "lock"):
        (settings.state / name).mkdir(parents=True, exist_ok=True)
    filled = values(settings)
    for template in sorted((HERE / "etc").rglob("*.*")):
        target = settings.etc / template.relative_to(HERE / "etc")
        if template.name == "clouds.yaml":
            target = settings.clouds
        text = Template(template.read_text()).substitute(filled)
        if target.exists() and target.read_text() == text:
            continue
        target.parent.mkdir(exist_ok=True)
        target.touch(mode=0o600)
        target.write_text(text)
