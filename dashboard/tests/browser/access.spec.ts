import { expect, logIn, open, test } from './colony';

test('a program gets an account and a token that is shown once, narrowed, and revoked', async ({
  page,
  colony,
}) => {
  await logIn(page, colony, colony.url(colony.hello.queen));
  await open(page, '/access?tab=accounts');
  await expect(page.getByText('No program has an account.')).toBeVisible();
  await page.getByRole('button', { name: 'Add account' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('deploy');
  await dialog.getByLabel('Scopes').fill('nodes:*@caste=web nodes');
  await dialog.getByRole('button', { name: 'Add' }).click();
  await expect(dialog.getByRole('alert').filter({ hasText: 'is not a scope' })).toBeVisible();
  await dialog.getByLabel('Scopes').fill('nodes:*@caste=web *:read');
  await dialog.getByRole('button', { name: 'Add' }).click();
  const account = page.getByRole('table', { name: 'Service accounts', exact: true });
  await expect(account).toContainText('nodes:*@caste=web *:read');
  await account.getByRole('button', { name: 'Make a token' }).click();
  await dialog.getByLabel('Scopes').fill('inventory:read');
  await dialog.getByRole('button', { name: 'Make', exact: true }).click();
  const secret = page.getByLabel('Token', { exact: true });
  await expect(secret).toHaveValue(/^aware-sa1\.deploy\./);
  const token = await secret.inputValue();
  // It gets in where it may, and nowhere else.
  const status = (path: string) =>
    page.evaluate(
      async ([at, bearer]) => (await fetch(at, { headers: { authorization: `Bearer ${bearer}` } })).status,
      [path, token] as const,
    );
  expect([await status('./v1/inventory'), await status('./v1/nodes')]).toEqual([200, 403]);
  await page.getByRole('button', { name: 'Done' }).click();
  const row = page.getByRole('table', { name: 'Tokens of service accounts' }).getByRole('row').nth(1);
  await expect(row).toContainText('inventory:read');
  await row.getByRole('button', { name: 'Revoke' }).click();
  await dialog.getByRole('button', { name: 'Revoke' }).click();
  await expect(page.getByText('None: no program gets in.')).toBeVisible();
  await expect.poll(() => status('./v1/inventory')).toBe(401);
  await account.getByRole('button', { name: 'Delete' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('No program has an account.')).toBeVisible();
});

test('a webhook is added, tested, changed, paused; what nobody took is a dead letter until somebody settles it', async ({
  page,
  colony,
}) => {
  test.setTimeout(240_000);
  await logIn(page, colony, colony.url(colony.hello.queen));
  await open(page, '/access?tab=webhooks');
  await page.getByRole('button', { name: 'Add webhook' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Address').fill('http://hooks.invalid/aware');
  await dialog.getByRole('button', { name: 'Add' }).click();
  await expect(dialog.getByRole('alert')).toBeVisible();
  await dialog.getByLabel('Address').fill('https://hooks.invalid/aware');
  await dialog.getByLabel('What it is for').fill('tickets');
  await dialog.getByLabel('Event types').fill('node.changed');
  await dialog.getByLabel('Tries one event for').fill('10');
  await dialog.getByRole('button', { name: 'Add' }).click();
  await expect(page.getByLabel('Secret', { exact: true })).toHaveValue(/^whsec_/);
  await page.getByRole('button', { name: 'Done' }).click();
  await expect(page.getByText('https://hooks.invalid/aware')).toBeVisible();
  await page.getByRole('button', { name: 'Test call' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'It was not taken' })).toBeVisible({
    timeout: 60_000,
  });
  await colony.ask('PATCH', '/v1/nodes/nest-3', { labels: { told: 'yes' } });
  const dead = page.getByRole('table', { name: 'Dead letters' });
  await expect(dead).toContainText('labels of nest-3 changed', { timeout: 90_000 });
  await expect(page.getByRole('table', { name: 'Deliveries' })).toContainText('given up');
  await page.getByRole('button', { name: 'Drop all' }).click();
  await dialog.getByRole('button', { name: 'Drop' }).click();
  await expect(page.getByText('None: what happened was delivered, or is being tried.')).toBeVisible();
  await page.getByRole('button', { name: 'Pause' }).click();
  await dialog.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByRole('button', { name: 'Go on' })).toBeVisible();
  await page.getByRole('button', { name: 'Change' }).click();
  await dialog.getByLabel('What it is for').fill('tickets of the night');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('heading', { name: 'tickets of the night' })).toBeVisible();
  await page.getByRole('button', { name: 'New secret' }).click();
  await dialog.getByRole('button', { name: 'Make a new secret' }).click();
  await expect(page.getByLabel('Secret', { exact: true })).toHaveValue(/^whsec_/);
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('The colony tells nobody of its events.')).toBeVisible();
});

test('the audit log is narrowed, and verified in the browser against a head noted earlier', async ({
  page,
  colony,
}) => {
  await logIn(page, colony, colony.url(colony.hello.queen));
  await open(page, '/access?tab=audit');
  const table = page.getByRole('table', { name: 'Audit log' });
  await expect(table).toContainText('put-spec');
  await page.getByRole('button', { name: 'Verify' }).click();
  const verdict = page.getByTestId('verdict');
  await expect(verdict).toContainText('none was changed, left out or moved');
  await expect(verdict).toContainText('of the colony');
  const head = (await verdict.locator('code').textContent()) ?? '';
  await page.getByLabel('Head noted earlier').fill(head);
  await page.getByRole('button', { name: 'Verify' }).click();
  await expect(verdict).toContainText('none was changed, left out or moved');
  await page.getByLabel('Head noted earlier').fill(`1:${'a'.repeat(64)}`);
  await page.getByRole('button', { name: 'Verify' }).click();
  await expect(verdict).toContainText('the log was replaced from there or before');
  await page.getByLabel('What begins with').fill('put-spec');
  await page.getByRole('button', { name: 'Find' }).click();
  await expect(table).not.toContainText('begin-session');
  await expect(page).toHaveURL(/what=put-spec/);
});
