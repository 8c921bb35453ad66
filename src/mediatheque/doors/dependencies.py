"""What the application hands to every route that asks for it by name.

They are ours, not a client's: validating them at every request would be work for nothing.
"""

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from mediatheque.config import Settings
from mediatheque.doors.http.bodies import BodyReader
from mediatheque.services import Services

GivenServices = NamedDependency[SkipValidation[Services]]
GivenSettings = NamedDependency[SkipValidation[Settings]]
GivenBodies = NamedDependency[SkipValidation[BodyReader]]
