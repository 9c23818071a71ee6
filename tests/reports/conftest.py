import pytest

from tests.cast import Cast
from tests.reports.shop import Shop, shop_of


@pytest.fixture
def shop(cast: Cast) -> Shop:
    return shop_of(cast)
