"""The tables were made by the `archive` app's migrations."""

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('archive', '0003_models_moved'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='Job',
                    fields=[
                        ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                        ('kind', models.CharField(choices=[('export', 'Export'), ('import', 'Import')], max_length=6)),
                        ('status', models.CharField(choices=[('receiving', 'Receiving'), ('queued', 'Queued'), ('running', 'Running'), ('finished', 'Finished'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=9)),
                        ('request', models.JSONField(default=dict)),
                        ('done', models.PositiveIntegerField(default=0)),
                        ('total', models.PositiveIntegerField(default=0)),
                        ('result', models.JSONField(default=dict)),
                        ('message', models.TextField(blank=True)),
                        ('file', models.CharField(blank=True, max_length=200)),
                        ('size', models.PositiveBigIntegerField(default=0)),
                        ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('alive_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='archive_jobs', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'db_table': 'archive_job',
                        'indexes': [models.Index(fields=['owner', '-created_at'], name='archive_job_of_owner')],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ['receiving', 'queued', 'running'])), fields=('asked_by',), name='archive_job_one_at_a_time')],
                    },
                ),
            ]
        )
    ]
