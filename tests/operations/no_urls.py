"""A site that doesn't include the package's URLs."""

urlpatterns = []
