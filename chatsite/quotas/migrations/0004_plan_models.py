from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("quotas", "0003_notices")]

    operations = [
        migrations.AddField(
            "plan",
            "model_names",
            models.TextField(blank=True, help_text="One a line. Empty: every model.", verbose_name="models"),
        ),
    ]
