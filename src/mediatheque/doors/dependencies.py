"""What the application hands to every route that asks for it by name.

They are ours, not a client's: validating them at every request would be work for nothing.
"""

from typing import Annotated

from litestar.params import Dependency

from mediatheque.config import Settings
from mediatheque.doors.http.bodies import BodyReader
from mediatheque.services import Services

GivenServices = Annotated[Services, Dependency(skip_validation=True)]
GivenSettings = Annotated[Settings, Dependency(skip_validation=True)]
GivenBodies = Annotated[BodyReader, Dependency(skip_validation=True)]
