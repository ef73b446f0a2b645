// Last, because nodes fall here.

import { expect, logIn, open, test } from './colony';
import { proxyTo } from './proxy';

test('a page behind a proxy, below a path, is the same page', async ({ page, colony }) => {
  const queen = await colony.queen();
  const proxy = await proxyTo(queen.url, '/colony/');
  try {
    await logIn(page, colony, proxy.url, 'otto');
    await open(page, '/nodes/nest-5?tab=actions');
    await page.getByRole('button', { name: 'Cordon', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cordon' }).click();
    await expect(page.getByTestId('notices')).toContainText('nest-5 is cordoned');
    await expect(page.getByRole('button', { name: 'Open for work' })).toBeVisible();
    await page.getByRole('link', { name: 'API' }).click();
    await expect(page).toHaveURL(`${proxy.url}docs`);
    await expect(page.getByText('/v1/cluster', { exact: true })).toBeVisible();
    await colony.ask('PATCH', '/v1/nodes/nest-5', { cordoned: false });
  } finally {
    await proxy.stop();
  }
});

test('a page of a member writes at the queen', async ({ page, colony }) => {
  const member = await colony.other();
  await logIn(page, colony, colony.url(member), 'otto');
  await open(page, '/nodes/nest-1?tab=actions');
  await page.getByRole('button', { name: 'Cordon', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cordon' }).click();
  await expect(page.getByTestId('notices')).toContainText('nest-1 is cordoned');
  await colony.ask('PATCH', '/v1/nodes/nest-1', { cordoned: false });
});

test('the queen is killed while her own page is open', async ({ page, colony }) => {
  test.setTimeout(120_000);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const before = await colony.queen();
  await logIn(page, colony, colony.url(before.name));
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  // Every page was fetched by then: this gateway will not give them any more.
  const last = () =>
    performance.getEntriesByType('resource').some(({ name }) => /\/assets\/Trust-/.test(name));
  await expect.poll(() => page.evaluate(last)).toBe(true);

  const after = await colony.tell<{ name: string; term: number }>('kill', before.name);
  expect(after.name).not.toBe(before.name);
  await expect(page.getByTestId('notices')).toContainText(
    `${after.name} reigns in place of ${before.name}, in term ${after.term}`,
  );
  await expect(page.getByTestId('link')).toHaveText('Live');
  await expect(page.getByRole('heading', { name: 'Colony', level: 1 })).toBeVisible();

  await expect(page.getByRole('link', { name: /^1 (suspect|dead)$/ })).toBeVisible();
  if (process.env['AWARE_SCREENSHOTS'] === '1')
    await page.screenshot({ path: '../docs/images/dashboard.png' });

  // Pages that were never opened, a write, and the event of it: all at another member, with the login of before.
  await open(page, '/nodes/nest-2?tab=actions');
  const target = (await colony.ask<{ name: string }>('GET', '/v1/nodes/nest-2')).name;
  await page.getByRole('button', { name: 'Cordon', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cordon' }).click();
  await expect(page.getByTestId('notices')).toContainText(`${target} is cordoned`);
  await open(page, '/events?type=queen.');
  await expect(page.getByRole('table', { name: 'Events' })).toContainText(`${after.name} is queen`);
  expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true);

  // Nothing was lost and nothing is there twice.
  const known = await colony.ask<{ events: { id: string; revision: number }[] }>(
    'GET',
    '/v1/events?limit=1000',
  );
  await open(page, '/events');
  await expect(page.getByText(`${known.events.length} events`)).toBeVisible();
  await colony.ask('PATCH', '/v1/nodes/nest-2', { cordoned: false });
  await colony.tell('start', before.name);
});

test('without a majority nobody reigns, and the page goes on reading', async ({ page, colony }) => {
  test.setTimeout(150_000);
  const queen = await colony.queen();
  const member = await colony.other();
  await logIn(page, colony, colony.url(member));
  await colony.tell('cut', member);
  await expect(page.getByTestId('notices')).toContainText(`${queen.name} reigns no more`);
  await expect(page.getByRole('link', { name: new RegExp(`^${member}: `) })).toBeVisible();
  await open(page, '/nodes');
  await expect(page.getByRole('table', { name: 'Nodes' })).toContainText(member);
  await open(page, '/spec');
  await expect(page.getByLabel('Spec as YAML')).toHaveValue(/colony: nest/);
});
