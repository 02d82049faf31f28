"""The models move to apps named for what they hold. Tables, and the rows in them, stay as they are."""

from django.db import migrations

MOVED = {
    "job": ("jobs", "job"),
    "keep": ("retention", "conversationretention"),
    "retentionpolicy": ("retention", "retentionpolicy"),
    "erasure": ("account_deletion", "accountdeletion"),
}


def rename_content_types(apps, schema_editor):
    """Permissions and the admin's history follow the models."""
    content_types = apps.get_model("contenttypes", "ContentType").objects
    for model, (app_label, name) in MOVED.items():
        content_types.filter(app_label="archive", model=model).update(app_label=app_label, model=name)


def restore_content_types(apps, schema_editor):
    content_types = apps.get_model("contenttypes", "ContentType").objects
    for model, (app_label, name) in MOVED.items():
        content_types.filter(app_label=app_label, model=name).update(app_label="archive", model=model)


class Migration(migrations.Migration):
    dependencies = [
        ("archive", "0002_erasure_and_arrival"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel("Job"),
                migrations.DeleteModel("Keep"),
                migrations.DeleteModel("Erasure"),
                migrations.DeleteModel("RetentionPolicy"),
            ]
        ),
        migrations.RunPython(rename_content_types, restore_content_types),
    ]
