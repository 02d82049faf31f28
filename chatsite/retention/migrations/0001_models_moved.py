"""The tables were made by the `archive` app's migrations."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('archive', '0003_models_moved'),
        ('conversations', '0005_message_deleted'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='ConversationRetention',
                    fields=[
                        ('conversation', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='retention', serialize=False, to='conversations.conversation')),
                        ('days', models.PositiveIntegerField(blank=True, null=True)),
                        ('since', models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        'db_table': 'archive_keep',
                    },
                ),
                migrations.CreateModel(
                    name='RetentionPolicy',
                    fields=[
                        ('id', models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                        ('days', models.PositiveIntegerField(blank=True, help_text='Conversations in which nobody wrote for so long are erased. Empty: never.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(36500)], verbose_name='days')),
                        ('spare_pinned', models.BooleanField(default=True, verbose_name='keep pinned conversations')),
                    ],
                    options={
                        'verbose_name': 'retention policy',
                        'verbose_name_plural': 'retention policy',
                        'db_table': 'archive_retentionpolicy',
                        'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='retention_one_row')],
                    },
                ),
            ]
        )
    ]
