import { expect, logIn, open, test } from './colony';

const OPERATION = 'rolling-restart';

test('an operation is planned, run, followed to its end, and run again', async ({ page, colony }) => {
  test.setTimeout(480_000);
  await logIn(page, colony, colony.url(colony.hello.queen), 'otto');
  await open(page, '/jobs?tab=operations');
  await page.getByRole('button', { name: `Run ${OPERATION}` }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Plan' }).click();
  await expect(dialog.getByText('This has to be given.')).toBeVisible();
  await dialog.getByLabel('service_name').click();
  await page.getByRole('option', { name: 'nginx' }).click();
  await dialog.getByLabel('at_once').fill('99');
  await expect(dialog.getByText('1 to 10, please.')).toBeVisible();
  await dialog.getByLabel('at_once').fill('5');
  await dialog.getByLabel('api_token').fill('s3cret-t0ken');
  await dialog.getByLabel('Only these hosts').fill('nest-99');
  await dialog.getByRole('button', { name: 'Plan' }).click();
  await expect(dialog.getByRole('alert')).toContainText('nest-99');
  await dialog.getByLabel('Only these hosts').fill('nest-1, nest-2');
  await dialog.getByRole('button', { name: 'Plan' }).click();
  await expect(dialog.getByTestId('steps')).toContainText('hosts: nest-1, nest-2');
  await expect(dialog.getByTestId('steps')).not.toContainText('s3cret-t0ken');
  // What is changed after the plan is planned anew.
  await dialog.getByLabel('at_once').fill('2');
  await expect(dialog.getByRole('button', { name: 'Run' })).toHaveCount(0);
  await dialog.getByRole('button', { name: 'Plan' }).click();
  await dialog.getByRole('button', { name: 'Run' }).click();

  await expect(page.getByRole('heading', { name: OPERATION, level: 1 })).toBeVisible();
  const done = page.getByRole('status').filter({ hasText: 'succeeded' });
  await expect(done).toBeVisible({ timeout: 180_000 });
  const hosts = page.getByRole('table', { name: 'Hosts' });
  await expect(hosts.getByRole('row')).toHaveCount(3);
  await expect(hosts.getByRole('row').nth(1)).toContainText('changed');
  const text = page.getByRole('region', { name: 'What it printed' });
  await expect(text).toContainText('nest-2 gets no requests, by token');
  await expect(text).not.toContainText('s3cret-t0ken');
  await expect(page.getByRole('status', { name: 'Log' })).toHaveText('complete');

  const first = page.url();
  await page.getByRole('button', { name: 'Retry' }).click();
  await expect(page.getByRole('dialog').getByTestId('steps')).toContainText(OPERATION);
  await page.getByRole('dialog').getByRole('button', { name: 'Retry' }).click();
  await expect(page.getByRole('link', { name: 'repeats another job' })).toBeVisible();
  expect(page.url()).not.toBe(first);
  await expect(done).toBeVisible({ timeout: 180_000 });
});

test('a job is seen at work, line by line, and cancelled', async ({ page, colony }) => {
  test.setTimeout(480_000);
  await logIn(page, colony, colony.url(await colony.other()), 'otto');
  const { id } = await colony.ask<{ id: string }>('POST', '/v1/jobs', {
    operation: OPERATION,
    parameters: { service_name: 'postgresql', at_once: 5, pause_s: 300 },
  });
  await open(page, '/jobs');
  const row = page.getByRole('table', { name: 'Jobs' }).getByRole('row').nth(1);
  await expect(row).toContainText('running');
  await row.getByRole('link').click();
  await expect(page).toHaveURL(new RegExp(id));
  await expect(page.getByRole('region', { name: 'What it printed' })).toContainText('Wait for it', {
    timeout: 180_000,
  });
  await expect(page.getByRole('status', { name: 'Log' })).toHaveText('live');
  await expect(page.getByRole('table', { name: 'Hosts' })).toContainText('Wait for it');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel the job' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'cancelled' })).toBeVisible({ timeout: 90_000 });
  await expect(page.getByRole('status', { name: 'Log' })).toHaveText('complete');
  await open(page, '/jobs?state=cancelled');
  await expect(page.getByRole('table', { name: 'Jobs' }).getByRole('row')).toHaveCount(2);
});

test('who may only look sees jobs, not what they print, and runs none', async ({ page, colony }) => {
  test.setTimeout(300_000);
  const id = await colony.ranJob({ service_name: 'nginx' });
  await logIn(page, colony, colony.url(colony.hello.queen), 'vera');
  await open(page, `/jobs/${id}`);
  await expect(page.getByRole('table', { name: 'Hosts' })).toBeVisible();
  await expect(page.getByText('What jobs print is for operators.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Retry' })).toHaveCount(0);
  await open(page, '/jobs?tab=operations');
  await expect(page.getByRole('button', { name: `Run ${OPERATION}` })).toBeDisabled();
});

test('a gateway that fails, and a colony in which nothing ran, are told as what they are', async ({
  page,
  colony,
}) => {
  let broken = true;
  await page.route(/\/v1\/jobs\?/, (route) =>
    broken
      ? route.fulfill({ status: 500, json: { code: 'broken', detail: 'It broke', status: 500 } })
      : route.fulfill({ json: { jobs: [] }, headers: { 'x-aware-node': 'n' } }),
  );
  await logIn(page, colony, colony.url(colony.hello.queen), 'vera');
  await open(page, '/jobs');
  await expect(page.getByRole('main').getByRole('alert')).toContainText('It broke');
  broken = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByText('No job was run yet.')).toBeVisible();
  await page.getByRole('link', { name: 'See what can be run' }).click();
  await expect(page.getByRole('table', { name: 'Operations' })).toContainText('built in');
});
