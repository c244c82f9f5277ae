"""Carbon factors of carriers' services by part of the way; the one they had is that of the whole way."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Rewrites the carriers' documents."""
    op.execute(
        """
        UPDATE carrier SET document = jsonb_set(document, '{services}', (
            SELECT jsonb_agg(
                service - 'carbon_grams_per_tonne_kilometre' || jsonb_build_object('carbon_legs',
                    CASE WHEN (service ->> 'carbon_grams_per_tonne_kilometre')::float8 > 0 THEN jsonb_build_array(
                        jsonb_build_object(
                            'transport', 'road',
                            'kilometres', 0,
                            'grams_per_tonne_kilometre', service -> 'carbon_grams_per_tonne_kilometre'
                        )
                    ) ELSE '[]' END)
                ORDER BY place
            )
            FROM jsonb_array_elements(document -> 'services') WITH ORDINALITY AS given (service, place)
        ))
        WHERE document -> 'services' <> '[]'
        """
    )
