// Made of the gateway's OpenAPI document by "make dashboard"; do not edit.
export interface paths {
  '/v1/cluster': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_cluster_v1_cluster_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/castes': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_castes_v1_castes_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/castes/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_caste_v1_castes__name__get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/castes/{name}/demand': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put: operations['put_demand_v1_castes__name__demand_put'];
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/council/members': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_members_v1_council_members_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/council/move': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['move_seat_v1_council_move_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/election': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_election_v1_election_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/spec': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_spec_v1_spec_get'];
    put: operations['put_spec_v1_spec_put'];
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/spec/history': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_history_v1_spec_history_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/spec/diff': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['diff_spec_v1_spec_diff_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/spec/rollback': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['roll_back_spec_v1_spec_rollback_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/nodes': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_nodes_v1_nodes_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/nodes/{node}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_node_v1_nodes__node__get'];
    put?: never;
    post?: never;
    delete: operations['remove_node_v1_nodes__node__delete'];
    options?: never;
    head?: never;
    patch: operations['change_node_v1_nodes__node__patch'];
    trace?: never;
  };
  '/v1/nodes/{node}/away': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put: operations['send_away_v1_nodes__node__away_put'];
    post?: never;
    delete: operations['bring_back_v1_nodes__node__away_delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/denied-keys': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_denied_v1_denied_keys_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/denied-keys/{key}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post?: never;
    delete: operations['allow_key_v1_denied_keys__key__delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/nodes/{node}/config': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_config_v1_nodes__node__config_get'];
    put: operations['put_config_v1_nodes__node__config_put'];
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/nodes/{node}/config/history': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_history_v1_nodes__node__config_history_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/nodes/{node}/config/diff': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['diff_config_v1_nodes__node__config_diff_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/nodes/{node}/config/rollback': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['roll_back_config_v1_nodes__node__config_rollback_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/nodes/{node}/commands': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['command_node_v1_nodes__node__commands_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/nodes/{node}/channel': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_channel_v1_nodes__node__channel_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/queen': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_queen_v1_queen_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/queen/step-down': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['step_down_v1_queen_step_down_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/queen/transfer': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['transfer_v1_queen_transfer_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/events': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_events_v1_events_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/events/stream': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['stream_v1_events_stream_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/inventory': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_inventory_v1_inventory_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/auth/token': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['log_in_v1_auth_token_post'];
    delete: operations['log_out_v1_auth_token_delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/auth/refresh': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['refresh_v1_auth_refresh_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/auth/me': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['me_v1_auth_me_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/auth/ticket': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['ticket_v1_auth_ticket_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/auth/providers': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['ways_v1_auth_providers_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/auth/oidc/{name}/login': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['begin_v1_auth_oidc__name__login_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/auth/oidc/{name}/callback': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['returned_v1_auth_oidc__name__callback_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/auth/exchange': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['exchange_v1_auth_exchange_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/users': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_users_v1_users_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/users/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_user_v1_users__name__get'];
    put: operations['put_user_v1_users__name__put'];
    post?: never;
    delete: operations['delete_user_v1_users__name__delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/identity-providers': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_providers_v1_identity_providers_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/identity-providers/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_provider_v1_identity_providers__name__get'];
    put: operations['put_provider_v1_identity_providers__name__put'];
    post?: never;
    delete: operations['delete_provider_v1_identity_providers__name__delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/secrets': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_secrets_v1_secrets_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/secrets/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_secret_v1_secrets__name__get'];
    put: operations['put_secret_v1_secrets__name__put'];
    post?: never;
    delete: operations['delete_secret_v1_secrets__name__delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/service-accounts': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_accounts_v1_service_accounts_get'];
    put?: never;
    post: operations['create_account_v1_service_accounts_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/service-accounts/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_account_v1_service_accounts__name__get'];
    put?: never;
    post?: never;
    delete: operations['delete_account_v1_service_accounts__name__delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/service-accounts/{name}/tokens': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['create_token_v1_service_accounts__name__tokens_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/service-accounts/{name}/tokens/{token_id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post?: never;
    delete: operations['revoke_token_v1_service_accounts__name__tokens__token_id__delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_sessions_v1_sessions_get'];
    put?: never;
    post?: never;
    delete: operations['end_everybodys_v1_sessions_delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/sessions/{session_id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post?: never;
    delete: operations['end_session_v1_sessions__session_id__delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/users/{name}/sessions': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post?: never;
    delete: operations['end_a_users_v1_users__name__sessions_delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/tokens': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_tokens_v1_tokens_get'];
    put?: never;
    post: operations['create_token_v1_tokens_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/tokens/{token_id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post?: never;
    delete: operations['revoke_token_v1_tokens__token_id__delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/join': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['join_v1_join_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/renew': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['renew_v1_renew_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/rotation': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_rotation_v1_rotation_get'];
    put?: never;
    post: operations['order_rotation_v1_rotation_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/hooks/sign': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['sign_v1_hooks_sign_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/hooks/heat/{cluster}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['call_v1_hooks_heat__cluster__post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/operations': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_operations_v1_operations_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/jobs': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_jobs_v1_jobs_get'];
    put?: never;
    post: operations['run_job_v1_jobs_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/jobs/{job_id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_job_v1_jobs__job_id__get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/jobs/{job_id}/log': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_log_v1_jobs__job_id__log_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/jobs/{job_id}/cancel': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['cancel_job_v1_jobs__job_id__cancel_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/jobs/{job_id}/retry': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['retry_job_v1_jobs__job_id__retry_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/webhooks': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_webhooks_v1_webhooks_get'];
    put?: never;
    post: operations['create_webhook_v1_webhooks_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/webhooks/{webhook_id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_webhook_v1_webhooks__webhook_id__get'];
    put?: never;
    post?: never;
    delete: operations['remove_webhook_v1_webhooks__webhook_id__delete'];
    options?: never;
    head?: never;
    patch: operations['change_webhook_v1_webhooks__webhook_id__patch'];
    trace?: never;
  };
  '/v1/webhooks/{webhook_id}/secret': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['rotate_secret_v1_webhooks__webhook_id__secret_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/webhooks/{webhook_id}/test': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['test_webhook_v1_webhooks__webhook_id__test_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/webhooks/{webhook_id}/deliveries': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_deliveries_v1_webhooks__webhook_id__deliveries_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/webhooks/{webhook_id}/dead': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_dead_v1_webhooks__webhook_id__dead_get'];
    put?: never;
    post?: never;
    delete: operations['drop_all_v1_webhooks__webhook_id__dead_delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/webhooks/{webhook_id}/dead/replay': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['replay_all_v1_webhooks__webhook_id__dead_replay_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/webhooks/{webhook_id}/dead/{event_id}/replay': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['replay_one_v1_webhooks__webhook_id__dead__event_id__replay_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/webhooks/{webhook_id}/dead/{event_id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post?: never;
    delete: operations['drop_one_v1_webhooks__webhook_id__dead__event_id__delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/backups': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['list_backups_v1_backups_get'];
    put?: never;
    post: operations['request_backup_v1_backups_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/check': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post: operations['begin_check_v1_check_post'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/check/{run}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_check_v1_check__run__get'];
    put: operations['write_check_v1_check__run__put'];
    post?: never;
    delete: operations['end_check_v1_check__run__delete'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/audit': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_audit_v1_audit_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/monitoring/targets': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['read_targets_v1_monitoring_targets_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/healthz': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['healthz_healthz_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/readyz': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['readyz_readyz_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/readyz/queen': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['queen_readyz_readyz_queen_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/metrics': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['metrics_metrics_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/ca': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['ca_v1_ca_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/v1/council': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get: operations['council_v1_council_get'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
}
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    /**
     * AuditDocument
     * @description Lines of the audit log. ``keys`` check the seals: public keys in base64, the one that seals now first.
     */
    AuditDocument: {
      lines: components['schemas']['AuditLine'][];
      next: string | null;
      first: number;
      head: components['schemas']['Head'];
      keys: string[];
    };
    /**
     * AuditLine
     * @description Value of ``audit/<seq>``.
     */
    AuditLine: {
      time: number;
      action: string;
      /** @default  */
      actor: string;
      /** @default anonymous */
      kind: components['schemas']['Kind'];
      /** @default  */
      role: string;
      /** @default  */
      source: string;
      /** @default  */
      credential: string;
      /** @default  */
      request: string;
      /** @default  */
      route: string;
      /** @default  */
      member: string;
      /** @default  */
      subject: string;
      /** @default done */
      result: components['schemas']['Result'];
      /** @default 200 */
      status: number;
      /** @default  */
      code: string;
      /** @default  */
      change: string;
      /** @default 1 */
      count: number;
      seq: number;
      term: number;
      prev: string;
      /** @default  */
      hash: string;
      /** @default  */
      key: string;
      /** @default  */
      seal: string;
    };
    /**
     * Kind
     * @description What the one is who did it.
     * @enum {unknown}
     */
    Kind: 'anonymous' | 'colony' | 'node' | 'service' | 'user';
    /**
     * Result
     * @description What came of it.
     * @enum {unknown}
     */
    Result: 'done' | 'refused';
    /**
     * Head
     * @description The newest line, or one that was noted earlier: value of ``audit-head``.
     */
    Head: {
      /** @default 0 */
      seq: number;
      /** @default 0000000000000000000000000000000000000000000000000000000000000000 */
      hash: string;
    };
    /**
     * Problem
     * @description What went wrong. ``code`` is stable; ``detail`` and ``hint`` are for people.
     */
    Problem: {
      type: string;
      title: string;
      status: number;
      detail: string;
      code: string;
      /** @default  */
      hint: string;
      /** @default  */
      field: string;
      /** @default 0 */
      term: number;
      /** @default 0 */
      current: number;
      /** @default 0 */
      oldest: number;
      /** @default 0 */
      retry_after: number;
      /** @default  */
      incident: string;
      /** @default null */
      store: components['schemas']['StoreState'] | null;
      /** @default false */
      maybe_applied: boolean;
    };
    /**
     * StoreState
     * @description The judgement over ``members``. ``detail`` says what is wrong in one sentence, ``hint`` what to do.
     *
     *         ``since``: Unix seconds since when this trouble lasts. ``looked``: false until etcd was asked for the first time.
     */
    StoreState: {
      /** @default  */
      trouble: components['schemas']['Trouble'];
      /** @default  */
      detail: string;
      /** @default  */
      hint: string;
      /** @default null */
      since: number | null;
      /** @default false */
      reachable: boolean;
      /** @default false */
      quorum: boolean;
      /** @default [] */
      alarms: string[];
      /** @default false */
      looked: boolean;
      /** @default [] */
      members: components['schemas']['MemberState'][];
    };
    /**
     * Trouble
     * @description What keeps etcd from taking writes.
     * @enum {unknown}
     */
    Trouble: '' | 'corrupt' | 'full' | 'no-quorum' | 'refused' | 'unreachable';
    /**
     * MemberState
     * @description What one endpoint said. ``reason``: why it does not answer, or what is wrong with it; empty when nothing is.
     */
    MemberState: {
      endpoint: string;
      answers: boolean;
      /** @default false */
      leader: boolean;
      /** @default [] */
      alarms: string[];
      /** @default  */
      reason: string;
    };
    /**
     * Tokens
     * @description Access for ``expires_in`` seconds; the refresh token gets new ones and is then used up.
     *
     *         A login while nobody reigns has neither refresh token nor session: both are empty.
     */
    Tokens: {
      access_token: string;
      /**
       * @default Bearer
       * @enum {unknown}
       */
      token_type: 'Bearer';
      expires_in: number;
      refresh_token: string;
      role: components['schemas']['Role'];
      session: string;
    };
    /**
     * Role
     * @description What a principal is. Those of people are an order, each includes those before it; ``node`` stands beside it.
     * @enum {unknown}
     */
    Role: 'admin' | 'node' | 'operator' | 'security-admin' | 'viewer';
    /**
     * Login
     * @description Who wants in.
     */
    Login: {
      username: string;
      password: string;
    };
    /**
     * Refresh
     * @description Trade a refresh token for new tokens.
     */
    Refresh: {
      refresh_token: string;
    };
    /**
     * Change
     * @description Outcome of a write: ``changed`` is false when everything was like that already.
     */
    Change: {
      changed: boolean;
      revision: number;
      term: number;
    };
    /**
     * Me
     * @description Who the presented token speaks for. ``expires_at`` in Unix seconds.
     */
    Me: {
      name: string;
      role: components['schemas']['Role'];
      expires_at: number;
      session: string;
      scopes: string[];
    };
    /**
     * Ticket
     * @description Opens one WebSocket, once, within ``expires_in`` seconds.
     */
    Ticket: {
      ticket: string;
      expires_in: number;
    };
    /**
     * BackupsDocument
     * @description How backups stand. Times in Unix seconds; ``next_at`` 0 means at once, null that the spec wants none.
     */
    BackupsDocument: {
      policy: components['schemas']['BackupPolicy'] | null;
      next_at: number | null;
      requested_at: number;
      failed_at: number;
      failure: string;
      failures: number;
      backups: components['schemas']['BackupDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * BackupPolicy
     * @description What the spec says of backups. Where the target is, and its secrets, stand in the agents' settings.
     */
    BackupPolicy: {
      every: string;
      /** @default {} */
      keep: components['schemas']['Keep'];
      /**
       * @default directory
       * @enum {unknown}
       */
      target: 'directory' | 's3' | 'swift';
    };
    /**
     * Keep
     * @description How many backups stay. A backup stays when any of the three rules wants it.
     */
    Keep: {
      /** @default 7 */
      last: number;
      /** @default 0 */
      daily: number;
      /** @default 0 */
      weekly: number;
    };
    /**
     * BackupDocument
     * @description One backup on record. ``revision``: it holds at least everything up to here.
     */
    BackupDocument: {
      name: string;
      created_at: number;
      revision: number;
      term: number;
      bytes: number;
      sha256: string;
      target: string;
      node: string;
      actor: string;
    };
    /**
     * DryRunDocument
     * @description What a write would have done: whether anything would change, and what, in the sentences of its events.
     *
     *         ``revision`` and ``term`` are of the picture that was looked at.
     */
    DryRunDocument: {
      dry_run: boolean;
      changed: boolean;
      would: string[];
      revision: number;
      term: number;
    };
    /**
     * CastesDocument
     * @description The castes of the spec, by name. ``next`` is the cursor of the next page, where there is one.
     *
     *         ``wanted_size``: how many nodes the colony shall have, the spec's size or as many as castes want; for that there
     *         are ``missing_servers`` too few.
     */
    CastesDocument: {
      revision: number;
      wanted_size: number;
      missing_servers: number;
      castes: components['schemas']['CasteInFull'][];
      /** @default null */
      next: string | null;
    };
    /**
     * CasteInFull
     * @description One caste: how many are ``wanted``, who serves, how many are ``missing``. ``could``: free nodes that meet what it
     *         requires. ``reason``: why it is short, in a sentence; empty when it is not. ``count`` is the spec's; ``scale``: how
     *         it chooses another number by itself, null when it does not.
     */
    CasteInFull: {
      name: string;
      wanted: number;
      count: number;
      scale: components['schemas']['ScaleDocument'] | null;
      requires: components['schemas']['Requirements'];
      members: components['schemas']['NodeName'][];
      missing: number;
      could: components['schemas']['NodeName'][];
      reason: string;
    };
    /**
     * ScaleDocument
     * @description How a caste scales. ``min`` and ``max`` hold now, ``window`` is the part of the schedule that says so.
     *
     *         ``why`` it wants as many nodes as it does, since ``changed_at`` (Unix seconds; None: nothing was chosen yet).
     */
    ScaleDocument: {
      min: number;
      max: number;
      window: string;
      why: string;
      changed_at: number | null;
      leaving: components['schemas']['LeavingNode'][];
      demand: components['schemas']['DemandDocument'] | null;
      rule: components['schemas']['Scale'];
    };
    /**
     * LeavingNode
     * @description A node on its way out of a caste, and when it goes (Unix seconds; 0: any moment).
     */
    LeavingNode: {
      id: string;
      name: string;
      at: number;
    };
    /**
     * DemandDocument
     * @description What was posted last, when and by whom; None: nothing yet. ``known``: it is new enough to scale by.
     */
    DemandDocument: {
      per_node: number;
      value: number | null;
      at: number | null;
      by: string;
      known: boolean;
    };
    /**
     * Scale
     * @description Bounds, and what says how many nodes are wanted between them; None: that says nothing.
     */
    Scale: {
      min: number;
      max: number;
      /** @default null */
      cpu: number | null;
      /** @default null */
      memory: number | null;
      /** @default null */
      load: number | null;
      /** @default null */
      demand: components['schemas']['DemandTarget'] | null;
      /** @default 0.1 */
      tolerance: number;
      /** @default {} */
      out: components['schemas']['ScaleOut'];
      /** @default {} */
      in: components['schemas']['ScaleIn'];
      /** @default UTC */
      zone: string;
      /** @default [] */
      schedule: components['schemas']['Window'][];
    };
    /**
     * DemandTarget
     * @description A number that somebody posts, such as the length of a queue.
     */
    DemandTarget: {
      per_node: number;
      /** @default 300 */
      unknown_after_s: number;
    };
    /**
     * ScaleOut
     * @description How fast it grows: in a minute at most by the larger of ``nodes`` and ``share`` of what there was.
     */
    ScaleOut: {
      /** @default 4 */
      nodes: number;
      /** @default 3 */
      share: number;
    };
    /**
     * ScaleIn
     * @description How it shrinks: to the most that was needed at any moment of ``after_s`` seconds, and in a minute at most by the
     *         larger of ``nodes`` and ``share``. Who leaves is told ``drain_s`` seconds before.
     */
    ScaleIn: {
      /** @default 300 */
      after_s: number;
      /** @default 60 */
      drain_s: number;
      /** @default 1 */
      nodes: number;
      /** @default 0.5 */
      share: number;
    };
    /**
     * Window
     * @description Other bounds for a part of the week; None: as outside of it.
     */
    Window: {
      from: string;
      to: string;
      /**
       * @default [
       *       "mon",
       *       "tue",
       *       "wed",
       *       "thu",
       *       "fri",
       *       "sat",
       *       "sun"
       *     ]
       */
      days: ('fri' | 'mon' | 'sat' | 'sun' | 'thu' | 'tue' | 'wed')[];
      /** @default null */
      min: number | null;
      /** @default null */
      max: number | null;
    };
    /**
     * Requirements
     * @description The least a node must have to serve in a caste.
     */
    Requirements: {
      /** @default 0 */
      vcpus: number;
      /** @default 0 */
      ram_mib: number;
      /** @default 0 */
      disk_gib: number;
      /** @default  */
      zone: string;
      /** @default {} */
      labels: {
        [key: string]: string;
      };
      /** @default false */
      pinned: boolean;
    };
    /**
     * NodeName
     * @description A node by id and name.
     */
    NodeName: {
      id: string;
      name: string;
    };
    /**
     * DemandBody
     * @description How much there is to do: a queue's length, requests a second, or whatever ``per_node`` of the spec counts.
     */
    DemandBody: {
      value: number;
    };
    /**
     * CheckChange
     * @description Outcome of a write. ``queen``: who answered, where it was written under her term, else empty.
     */
    CheckChange: {
      changed: boolean;
      revision: number;
      term: number;
      queen: string;
    };
    /**
     * CheckBody
     * @description Which check: 32 hexadecimal digits that the client drew.
     */
    CheckBody: {
      run: string;
    };
    /**
     * CheckDocument
     * @description What the register held, as the queen read it from etcd under her term.
     */
    CheckDocument: {
      value: number;
      revision: number;
      term: number;
    };
    /**
     * CheckPut
     * @description What the register shall hold; a check writes every number once.
     */
    CheckPut: {
      value: number;
    };
    /**
     * ClusterDocument
     * @description The colony at a glance. ``breakers`` are those that are open: who is left alone outside, and why.
     */
    ClusterDocument: {
      colony: string;
      revision: number;
      term: number;
      /** @enum {unknown} */
      status: 'degraded' | 'forming' | 'healthy';
      reason: string;
      queen: components['schemas']['QueenDocument'] | null;
      heir: components['schemas']['NodeName'] | null;
      size: components['schemas']['Size'];
      castes: components['schemas']['CasteDocument'][];
      metrics: components['schemas']['Metrics'];
      breakers: components['schemas']['OpenBreaker'][];
      version: string;
    };
    /**
     * QueenDocument
     * @description Who reigns, since when (Unix seconds), and who would follow.
     */
    QueenDocument: {
      id: string;
      name: string;
      url: string;
      term: number;
      since: number;
      /** @default null */
      heir: components['schemas']['NodeName'] | null;
    };
    /**
     * Size
     * @description How many nodes the spec wants and how many there are, by status. ``servers``: how many there shall be, which is
     *         more than the spec's size where castes that scale want more; ``missing``: so many there are too few for that.
     */
    Size: {
      wanted: number;
      servers: number;
      missing: number;
      ready: number;
      suspect: number;
      dead: number;
      left: number;
      away: number;
      cordoned: number;
      total: number;
    };
    /**
     * CasteDocument
     * @description One caste; ``assigned`` are node names.
     */
    CasteDocument: {
      name: string;
      wanted: number;
      assigned: string[];
      missing: number;
    };
    /**
     * Metrics
     * @description Of the whole colony. ``oldest``: when the oldest of the loads that are summed was told, Unix seconds.
     */
    Metrics: {
      nodes: number;
      ready: number;
      reporting: number;
      vcpus: number;
      ram_mib: number;
      disk_gib: number;
      cpu: number | null;
      vcpus_used: number | null;
      memory: number | null;
      ram_used_mib: number | null;
      load1: number | null;
      oldest: number | null;
      castes: components['schemas']['CasteCapacity'][];
    };
    /**
     * CasteCapacity
     * @description Of the nodes of one caste; of ``spare`` those that are in none.
     */
    CasteCapacity: {
      nodes: number;
      ready: number;
      reporting: number;
      vcpus: number;
      ram_mib: number;
      disk_gib: number;
      cpu: number | null;
      vcpus_used: number | null;
      memory: number | null;
      ram_used_mib: number | null;
      load1: number | null;
      name: string;
    };
    /**
     * OpenBreaker
     * @description One that is open, as the colony shows it: who is left alone, since when (Unix seconds), and why.
     */
    OpenBreaker: {
      name: string;
      since: number;
      reason: string;
    };
    /**
     * CommandAnswer
     * @description The node's own answer; the order is on record as event ``node.ordered`` of ``revision``.
     */
    CommandAnswer: {
      revision: number;
      term: number;
      node: components['schemas']['NodeName'];
      answer: {
        [key: string]: unknown;
      };
    };
    /**
     * CommandBody
     * @description What the node shall do, by ``type``: restart, log-level (``level``), diagnostics, check-upgrade (``version``).
     */
    CommandBody: {
      command:
        | components['schemas']['RestartAgent']
        | components['schemas']['SetLogLevel']
        | components['schemas']['CollectDiagnostics']
        | components['schemas']['CheckUpgrade'];
    };
    /**
     * RestartAgent
     * @description End the agent so that whoever supervises it starts it again.
     */
    RestartAgent: {
      /** @enum {unknown} */
      type: 'restart';
    };
    /**
     * SetLogLevel
     * @description Log at ``level`` until the agent restarts or its configuration changes.
     */
    SetLogLevel: {
      /** @enum {unknown} */
      type: 'log-level';
      /** @enum {unknown} */
      level: 'debug' | 'error' | 'info' | 'warning';
    };
    /**
     * CollectDiagnostics
     * @description Tell what helps to find out what is wrong; without secrets.
     */
    CollectDiagnostics: {
      /** @enum {unknown} */
      type: 'diagnostics';
    };
    /**
     * CheckUpgrade
     * @description Whether this node could change to ``version``.
     */
    CheckUpgrade: {
      /** @enum {unknown} */
      type: 'check-upgrade';
      version: string;
    };
    /**
     * ChannelState
     * @description A node's channel to this member, as it is now. ``state`` is ``closed`` when there is none, ``self`` of the
     *         member itself, which needs none.
     */
    ChannelState: {
      state: string;
      member: string;
      /** @default null */
      since: number | null;
      /** @default null */
      heard_s: number | null;
      /** @default null */
      beat_s: number | null;
      /** @default 0 */
      throttled: number;
      /** @default 0 */
      refused_loads: number;
    };
    /**
     * ConfigDocument
     * @description A node's configuration; ``applied`` when the node says it runs this version.
     */
    ConfigDocument: {
      revision: number;
      version: number;
      applied: boolean;
      config: components['schemas']['Config'];
    };
    /**
     * Config
     * @description Configuration of one node. ``vars`` is free and reaches Ansible as the host variable ``aware_vars``.
     */
    Config: {
      /** @default {} */
      agent: components['schemas']['AgentConfig'];
      /** @default {} */
      vars: Record<string, never>;
    };
    /**
     * AgentConfig
     * @description Settings an agent applies while it runs; ``None`` means what its settings file says.
     */
    AgentConfig: {
      /** @default null */
      log_level: ('debug' | 'error' | 'info' | 'warning') | null;
      /** @default null */
      beacon_interval_s: number | null;
      /** @default null */
      candidate: boolean | null;
      /** @default null */
      priority: number | null;
    };
    /**
     * VersionsDocument
     * @description Versions, the newest first. ``oldest``: what was in force before this revision is no longer kept; 0: all is.
     *
     *         ``next`` is the cursor of the next page, where there is one.
     */
    VersionsDocument: {
      oldest: number;
      versions: components['schemas']['VersionDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * VersionDocument
     * @description One version: written at ``revision``, by whom, when (Unix seconds), and what was new. ``current``: in force.
     */
    VersionDocument: {
      revision: number;
      version: number;
      at: number;
      actor: string;
      term: number;
      message: string;
      current: boolean;
    };
    /**
     * DiffDocument
     * @description What changed between two revisions. ``from`` and ``to`` are the revisions of the versions that were in force,
     *         0 when there was none; ``steps`` say it in sentences.
     */
    DiffDocument: {
      from: number;
      to: number;
      steps: string[];
      changes: components['schemas']['Difference'][];
    };
    /**
     * Difference
     * @description One member of a document: what it was and what it became. Without ``from`` it was not there, without ``to`` it
     *         is not there any more. Lists are compared as wholes. The path of the whole document is empty.
     */
    Difference: {
      path: string[];
      from?: unknown;
      to?: unknown;
    };
    /**
     * ConfigChange
     * @description Outcome of putting a configuration; ``version`` 0: the gateway that answers has not seen it yet.
     */
    ConfigChange: {
      changed: boolean;
      revision: number;
      term: number;
      version: number;
    };
    /**
     * ConfigBody
     * @description The whole new configuration; what is missing falls back to its default.
     */
    ConfigBody: {
      config: components['schemas']['Config'];
    };
    /**
     * ConfigRollback
     * @description Outcome of going back to an earlier configuration, or what would come of it when ``dry_run``.
     */
    ConfigRollback: {
      changed: boolean;
      revision: number;
      term: number;
      dry_run: boolean;
      version: number;
      steps: string[];
      changes: components['schemas']['Difference'][];
    };
    /**
     * RollbackBody
     * @description What was in force at ``revision`` shall be so again.
     */
    RollbackBody: {
      revision: number;
    };
    /**
     * CouncilMembersDocument
     * @description Who carries the colony. ``trouble`` is what a person has to do something about, ``message`` what goes on.
     *
     *         ``moving``: a seat that is to move, until it has.
     */
    CouncilMembersDocument: {
      wanted: components['schemas']['CouncilSpec'] | null;
      members: components['schemas']['Seat'][];
      message: string;
      trouble: string;
      /** @default null */
      moving: components['schemas']['MovingDocument'] | null;
    };
    /**
     * CouncilSpec
     * @description How many nodes carry the colony, and when one that is lost is replaced.
     */
    CouncilSpec: {
      size: number;
      /** @default 300 */
      replace_after_s: number;
    };
    /**
     * Seat
     * @description One member as the colony knows it.
     */
    Seat: {
      member: number;
      node: string;
      name: string;
      /** @default  */
      endpoint: string;
      /** @default false */
      learner: boolean;
      /** @default true */
      healthy: boolean;
      /** @default false */
      leads: boolean;
    };
    /**
     * MovingDocument
     * @description An accepted move: ``to`` gets a seat, and then ``from`` gives up its own.
     */
    MovingDocument: {
      from: components['schemas']['NodeName'];
      to: components['schemas']['NodeName'];
    };
    /**
     * MoveBody
     * @description Whose seat shall move, and to whom: ids or names. Without ``to`` the queen chooses.
     */
    MoveBody: {
      from: string;
      /** @default  */
      to: string;
    };
    /**
     * Explanation
     * @description The state of one member's decisions at ``at`` (Unix seconds); seconds count from then.
     */
    Explanation: {
      node: string;
      name: string;
      version: string;
      at: number;
      phase: string;
      term: number;
      queen: string;
      line: string[];
      place: number | null;
      lease_left_s: number | null;
      campaign_in_s: number | null;
      council: string[];
      suspects: boolean;
      suspects_because: string;
      suspected_by: string[];
      silent_s: number | null;
      patience_s: number;
      sentences: string[];
      decisions: components['schemas']['Happening'][];
      transcript: string;
    };
    /**
     * Happening
     * @description One decision of a member: how long ago, of which machine, what had happened, and what it decided.
     */
    Happening: {
      age_s: number;
      machine: string;
      happened: string;
      decided: string;
    };
    /**
     * EventsDocument
     * @description Events after a revision. ``more`` says that there are more than the limit let through; ``next`` goes on there.
     */
    EventsDocument: {
      revision: number;
      oldest: number;
      more: boolean;
      events: components['schemas']['EventDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * EventDocument
     * @description An event and the revision it was written at.
     */
    EventDocument: {
      id: string;
      time: number;
      term: number;
      actor: string;
      type: string;
      subject: string;
      message: string;
      /** @default info */
      severity: components['schemas']['Severity'];
      /** @default {} */
      payload: Record<string, never>;
      revision: number;
    };
    /**
     * Severity
     * @description How much a human should care.
     * @enum {unknown}
     */
    Severity: 'error' | 'info' | 'notice' | 'warning';
    /**
     * SentEvent
     * @description One message of a stream, as the standard of server-sent events has it. ``data`` is a document as JSON.
     */
    SentEvent: {
      /** @default  */
      id: string;
      /** @default  */
      event: string;
      /** @default  */
      data: string;
    };
    /**
     * LoginWays
     * @description All of them, sorted by name.
     */
    LoginWays: {
      providers: components['schemas']['LoginWay'][];
    };
    /**
     * LoginWay
     * @description A provider, as far as everybody may know. ``login_url`` is where a browser begins, empty where it cannot.
     */
    LoginWay: {
      name: string;
      kind: string;
      login_url: string;
      takes_tokens: boolean;
    };
    /**
     * Exchange
     * @description Either ``code`` and ``code_verifier`` of a login in a browser, or a ``provider`` and a ``token`` of it.
     */
    Exchange: {
      /** @default  */
      code: string;
      /** @default  */
      code_verifier: string;
      /** @default  */
      provider: string;
      /** @default  */
      token: string;
    };
    /**
     * Health
     * @description The process answers.
     */
    Health: {
      /** @enum {unknown} */
      status: 'ok';
      store: components['schemas']['StoreState'];
    };
    /**
     * Readiness
     * @description Whether the node does its work, and how etcd is as it sees it.
     */
    Readiness: {
      ready: boolean;
      reason: string;
      store: components['schemas']['StoreState'];
    };
    /**
     * CouncilDocument
     * @description Who may reign, as far as the node that answers knows. ``members`` are base URLs.
     */
    CouncilDocument: {
      colony: string;
      /** @default 0 */
      term: number;
      /** @default null */
      queen: string | null;
      /** @default [] */
      members: string[];
    };
    /**
     * OperationsDocument
     * @description What can be run: the table of the queen, whose node is ``node``, and how members are equipped.
     */
    OperationsDocument: {
      node: string;
      operations: components['schemas']['OperationDocument'][];
      skipped: components['schemas']['SkippedFile'][];
      members: components['schemas']['RunnerDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * OperationDocument
     * @description One row of the table. ``parameters`` is a JSON Schema; what is ``writeOnly`` there is a secret.
     *
     *         ``uses``: names of the colony's secrets that its process is given.
     *         ``members``: names of the members whose file is the same; empty for what comes with AWARE.
     */
    OperationDocument: {
      name: string;
      description: string;
      built_in: boolean;
      playbook: string;
      parameters: Record<string, never>;
      role: string;
      time_limit_s: number;
      concurrency: number;
      group: string;
      castes: string[];
      uses: string[];
      idempotent: boolean;
      file: string;
      members: string[];
    };
    /**
     * SkippedFile
     * @description A file of ``operations.d`` on the queen's node that is not used, and why.
     */
    SkippedFile: {
      file: string;
      message: string;
    };
    /**
     * RunnerDocument
     * @description What a council member has for jobs. ``problem`` says why no playbook can be run there, and what to install.
     */
    RunnerDocument: {
      name: string;
      ready: boolean;
      ansible_runner: string;
      ansible_core: string;
      confined: string;
      problem: string;
      differs: string[];
    };
    /**
     * JobDocument
     * @description A job. Times in Unix seconds, 0: not yet. ``revision`` is for If-Match.
     *
     *         ``secrets``: names of parameters that are not shown. ``hosts_done``: by host, tasks by outcome.
     */
    JobDocument: {
      id: string;
      operation: string;
      state: components['schemas']['JobState'];
      reason: string;
      message: string;
      parameters: Record<string, never>;
      secrets: string[];
      hosts: string[];
      actor: string;
      reference: string;
      node: string;
      term: number;
      attempt: number;
      created_at: number;
      started_at: number;
      ended_at: number;
      cancelled_by: string;
      retry_of: string;
      play: string;
      task: string;
      hosts_done: {
        [key: string]: components['schemas']['HostProgress'];
      };
      more_hosts: number;
      log_bytes: number;
      log_cut: number;
      revision: number;
    };
    /**
     * JobState
     * @description The last six are ends.
     * @enum {unknown}
     */
    JobState: 'cancelled' | 'failed' | 'lost' | 'queued' | 'running' | 'succeeded' | 'timed_out';
    /**
     * HostProgress
     * @description How far one host is: tasks by outcome, as Ansible's recap counts them, and the task it is at or failed at.
     */
    HostProgress: {
      /** @default 0 */
      ok: number;
      /** @default 0 */
      changed: number;
      /** @default 0 */
      skipped: number;
      /** @default 0 */
      failed: number;
      /** @default 0 */
      unreachable: number;
      /** @default  */
      task: string;
    };
    /**
     * JobBody
     * @description What to run. ``hosts`` narrows what the operation may touch: names of the inventory.
     */
    JobBody: {
      operation: string;
      /** @default {} */
      parameters: Record<string, never>;
      /** @default [] */
      hosts: string[];
    };
    /**
     * JobsDocument
     * @description Jobs that are remembered, oldest first.
     */
    JobsDocument: {
      jobs: components['schemas']['JobDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * LogDocument
     * @description What a job printed from part ``start`` on, secrets masked. ``after`` is the ``start`` of what comes next.
     *
     *         ``cut``: bytes that were left out; ``complete``: the job has ended and this is the end of its log.
     */
    LogDocument: {
      job: string;
      state: components['schemas']['JobState'];
      text: string;
      after: number;
      printed: number;
      cut: number;
      complete: boolean;
    };
    /**
     * SignedHook
     * @description The URL is a secret: it is in this answer and nowhere else. ``path`` works on every node.
     */
    SignedHook: {
      url: string;
      path: string;
      operation: components['schemas']['HookOperation'];
      expires_at: number;
      uses: number;
    };
    /**
     * HookOperation
     * @description Operations that a signed URL can allow.
     * @enum {unknown}
     */
    HookOperation: 'join' | 'scale' | 'verify';
    /**
     * SignBody
     * @description What a URL shall allow. ``ttl_s`` up to a year, ``uses`` up to 100; the rest as in an order.
     */
    SignBody: {
      operation: components['schemas']['HookOperation'];
      ttl_s: number;
      /** @default 1 */
      uses: number;
      /** @default 0 */
      delta: number;
      /** @default  */
      caste: string;
      /** @default 0 */
      max_size: number;
    };
    /**
     * HookCall
     * @description The body of a call. By a signed URL all of it is optional and ``delta`` may only ask for less than was signed.
     */
    HookCall: {
      /** @default null */
      operation: components['schemas']['HookOperation'] | null;
      /** @default null */
      delta: number | null;
      /** @default  */
      caste: string;
      /** @default 0 */
      max_size: number;
      /** @default  */
      reference: string;
    };
    /**
     * ProvidersDocument
     * @description All providers, sorted by name.
     */
    ProvidersDocument: {
      providers: components['schemas']['ProviderDocument'][];
    };
    /**
     * ProviderDocument
     * @description A provider without its secret. ``has_secret``: whether one is kept. ``changed_at`` in Unix seconds.
     */
    ProviderDocument: {
      name: string;
      kind: string;
      rules: components['schemas']['Rule'][];
      issuer: string;
      url: string;
      client_id: string;
      has_secret: boolean;
      public_url: string;
      scopes: string[];
      audiences: string[];
      hosts: string[];
      ca: string;
      name_claim: string;
      session_s: number;
      changed_at: number;
      changed_by: string;
    };
    /**
     * Rule
     * @description Whoever has one of ``values`` in ``claim`` gets ``role``.
     *
     *         A claim is a text or a list of texts; ``a.b`` is ``b`` inside of ``a``. Values are compared letter by letter; only
     *         of ``sub`` a value that ends with ``*`` is the beginning. ``email`` counts only where the provider says that it
     *         verified it.
     */
    Rule: {
      role: components['schemas']['Role'];
      values: string[];
      /** @default groups */
      claim: string;
    };
    /**
     * ProviderBody
     * @description A provider, see docs/login.md. ``kind`` oidc needs ``issuer``, keystone needs ``url``.
     *
     *         Without ``client_secret`` the one that is kept stays; an empty one removes it. ``ca`` is PEM.
     */
    ProviderBody: {
      /** @enum {unknown} */
      kind: 'keystone' | 'oidc';
      rules: components['schemas']['Rule'][];
      /** @default  */
      issuer: string;
      /** @default  */
      url: string;
      /** @default  */
      client_id: string;
      /** @default null */
      client_secret: string | null;
      /** @default  */
      public_url: string;
      /**
       * @default [
       *       "openid",
       *       "profile",
       *       "email"
       *     ]
       */
      scopes: string[];
      /** @default [] */
      audiences: string[];
      /** @default [] */
      hosts: string[];
      /** @default  */
      ca: string;
      /** @default preferred_username */
      name_claim: string;
      /** @default 28800 */
      session_s: number;
    };
    /**
     * InventoryDocument
     * @description The colony as Ansible sees it; see docs of the inventory plugin ``aware.cluster.gateway``.
     */
    InventoryDocument: {
      revision: number;
      term: number;
      colony: string;
      complete: boolean;
      queen: string | null;
      members: string[];
      hosts: {
        [key: string]: Record<string, never>;
      };
      groups: {
        [key: string]: string[];
      };
    };
    /**
     * JoinAnswer
     * @description Answer to an accepted join. Unknown fields are ignored: the queen may be newer.
     */
    JoinAnswer: {
      certificate: string;
      ca: string;
      sealed: string;
      /** @default [] */
      etcd: string[];
      /** @default [] */
      channels: string[];
      joined_at: number;
      /** @default [] */
      addresses: string[];
      /** @default 1 */
      generation: number;
      /** @default 1 */
      signed_by: number;
      /** @default 0 */
      issued_at: number;
    };
    /**
     * JoinRequest
     * @description Body of ``POST /v1/join``.
     */
    JoinRequest: {
      colony: string;
      token_id: string;
      secret: string;
      csr: string;
      node_id: string;
      name: string;
      address: string;
      url: string;
      box_key: string;
      /** @default  */
      signature: string;
    };
    /**
     * TargetsDocument
     * @description One thing to scrape: ``host:port``, and the labels its series get.
     */
    TargetsDocument: {
      targets: string[];
      labels: {
        [key: string]: string;
      };
    };
    /**
     * NodesDocument
     * @description Nodes, sorted by name; in pages by id. ``next``, here and in all lists: the cursor of the next page, if any.
     */
    NodesDocument: {
      revision: number;
      term: number;
      nodes: components['schemas']['NodeView'][];
      /** @default null */
      next: string | null;
    };
    /**
     * NodeView
     * @description A node as the API shows it.
     */
    NodeView: {
      id: string;
      name: string;
      address: string;
      url: string;
      /** @enum {unknown} */
      role: 'heir' | 'member' | 'queen' | 'worker';
      status: components['schemas']['Status'];
      status_since: number;
      caste: string;
      leaving: number | null;
      pinned: string[];
      eligible: boolean;
      candidate: boolean;
      priority: number;
      rank: number | null;
      cordoned: boolean;
      drained: boolean;
      over: ('cpu' | 'disk' | 'memory')[];
      away: components['schemas']['Away'] | null;
      labels: {
        [key: string]: string;
      };
      capabilities: components['schemas']['Capabilities'];
      version: string;
      joined_at: number;
      process: string;
      origin: string;
      config_version: number;
      config_applied: boolean;
      revision: number;
      /** @default {} */
      vars: {
        [key: string]: unknown;
      };
      /** @default null */
      last_heartbeat: number | null;
      /** @default null */
      load: components['schemas']['LoadView'] | null;
    };
    /**
     * Status
     * @description How alive the queen believes a node is.
     * @enum {unknown}
     */
    Status: 'away' | 'dead' | 'left' | 'ready' | 'suspect';
    /**
     * Away
     * @description Who sent a node away, why, and until when. Times in Unix seconds.
     */
    Away: {
      by: string;
      since: number;
      /** @default  */
      reason: string;
      /** @default null */
      until: number | null;
      /** @default false */
      here: boolean;
      /** @default  */
      caste: string;
    };
    /**
     * Capabilities
     * @description What a node can do, measured by its agent. Memory and disk in MiB and GiB.
     */
    Capabilities: {
      /** @default 0 */
      vcpus: number;
      /** @default 0 */
      ram_mib: number;
      /** @default 0 */
      disk_gib: number;
      /** @default  */
      zone: string;
    };
    /**
     * LoadView
     * @description How busy a node is, as it says itself. ``at`` is when it said so, Unix seconds by the clock of the member that
     *         answers; sizes that the node's kernel does not tell are 0.
     */
    LoadView: {
      at: number;
      cpu: number;
      load1: number;
      memory_used_mib: number;
      memory_mib: number;
      disk_used_mib: number;
      disk_mib: number;
    };
    /**
     * NodeChange
     * @description Outcome of a change of one node, and the node after it.
     */
    NodeChange: {
      changed: boolean;
      revision: number;
      term: number;
      node: components['schemas']['NodeView'];
    };
    /**
     * NodePatch
     * @description Labels are merged; null removes one. ``pinned`` are addresses for its certificate, for an admin to say.
     *
     *         ``cordoned``: it gets no new work. ``drained``: that too, and others take over its reign, its seat in the council
     *         and its place in a caste. ``cordoned: false`` ends both.
     */
    NodePatch: {
      /** @default null */
      labels: {
        [key: string]: string | null;
      } | null;
      /** @default null */
      cordoned: boolean | null;
      /** @default null */
      drained: boolean | null;
      /** @default null */
      pinned: string[] | null;
    };
    /**
     * AwayBody
     * @description Why a node is away, and until when (Unix seconds; left out: until it is told to come back).
     */
    AwayBody: {
      /** @default  */
      reason: string;
      /** @default null */
      until: number | null;
    };
    /**
     * DeniedKeysDocument
     * @description All denied keys, the last one first.
     */
    DeniedKeysDocument: {
      keys: components['schemas']['DeniedKey'][];
      /** @default null */
      next: string | null;
    };
    /**
     * DeniedKey
     * @description The key of a node that was removed: nobody joins with it. ``key`` is its fingerprint.
     */
    DeniedKey: {
      key: string;
      node_id: string;
      name: string;
      removed_at: number;
      removed_by: string;
    };
    /**
     * HandOver
     * @description An accepted hand-over: the queen of ``term`` resigns, ``to`` is expected to follow.
     */
    HandOver: {
      from: components['schemas']['NodeName'];
      to: components['schemas']['NodeName'] | null;
      term: number;
    };
    /**
     * TransferBody
     * @description Who shall reign next: id or name.
     */
    TransferBody: {
      node: string;
    };
    /**
     * RenewRequest
     * @description Body of ``POST /v1/renew``.
     */
    RenewRequest: {
      colony: string;
      node_id: string;
      address: string;
      csr: string;
      sent_at: number;
      nonce: string;
      box_key: string;
      /** @default  */
      signature: string;
    };
    /**
     * RotationDocument
     * @description How far a rotation is. ``generation`` signs; ``other`` is believed as well, 0 for none. Times in Unix seconds.
     */
    RotationDocument: {
      phase: components['schemas']['Phase'];
      generation: number;
      other: number;
      hold: boolean;
      released: boolean;
      since: number;
      actor: string;
      complete: boolean;
      nodes: components['schemas']['NodeTrust'][];
      etcd: string[];
      unsealed: number;
      last: number;
      ca: string;
      council_ca: string;
    };
    /**
     * Phase
     * @description Where a rotation stands.
     * @enum {unknown}
     */
    Phase: 'distributing' | 'finishing' | 'returning' | 'settled' | 'switched';
    /**
     * NodeTrust
     * @description One line of the report.
     */
    NodeTrust: {
      id: string;
      name: string;
      standing: components['schemas']['Standing'];
      holds: number[];
      signed_by: number;
      not_after: number | null;
      lacks: string;
    };
    /**
     * Standing
     * @description A node, seen from the rotation.
     * @enum {unknown}
     */
    Standing: 'left-behind' | 'ready' | 'silent' | 'waiting';
    /**
     * RotationBody
     * @description An order. CAs and secret may be brought along, so that who founded the colony keeps them; else the queen makes
     *         them.
     */
    RotationBody: {
      /** @enum {unknown} */
      action: 'abort' | 'continue' | 'start';
      /** @default false */
      hold: boolean;
      /** @default 300 */
      patience_s: number;
      /** @default false */
      keep_ca: boolean;
      /** @default  */
      ca_certificate: string;
      /** @default  */
      ca_key: string;
      /** @default  */
      council_ca_certificate: string;
      /** @default  */
      council_ca_key: string;
      /** @default  */
      secret: string;
    };
    /**
     * ColonySecretsDocument
     * @description All secrets, sorted by name.
     */
    ColonySecretsDocument: {
      secrets: components['schemas']['ColonySecretDocument'][];
    };
    /**
     * ColonySecretDocument
     * @description What may be shown of a secret; ``about`` says at which cloud it is good. ``changed_at`` in Unix seconds.
     */
    ColonySecretDocument: {
      name: string;
      kind: string;
      about: string;
      changed_at: number;
      changed_by: string;
    };
    /**
     * ColonySecretBody
     * @description A secret. ``kind`` text needs ``text``; openstack needs ``cloud``, an entry of ``clouds.yaml``.
     *
     *         ``ca``: PEM of who vouches for the cloud. ``plain_http``: the cloud may be spoken to without TLS.
     */
    ColonySecretBody: {
      /** @enum {unknown} */
      kind: 'openstack' | 'text';
      /** @default null */
      text: string | null;
      /** @default null */
      cloud: Record<string, never> | null;
      /** @default  */
      ca: string;
      /** @default false */
      plain_http: boolean;
    };
    /**
     * ServiceAccountsDocument
     * @description Accounts, sorted by name. ``next``: cursor of the next page; None when there is none.
     */
    ServiceAccountsDocument: {
      revision: number;
      accounts: components['schemas']['ServiceAccountDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * ServiceAccountDocument
     * @description An account. It may do what its role, its scopes and its owner's present role all allow.
     */
    ServiceAccountDocument: {
      name: string;
      role: components['schemas']['Role'];
      scopes: string[];
      owner: string;
      created_at: number;
      tokens: components['schemas']['ServiceTokenDocument'][];
    };
    /**
     * ServiceTokenDocument
     * @description A token as it is kept: nobody gets in with this. Times in Unix seconds.
     *
     *         ``last_used_at`` may be an hour and a minute behind the last use; None: it was not used, or first within that time.
     */
    ServiceTokenDocument: {
      id: string;
      created_at: number;
      created_by: string;
      expires_at: number;
      scopes: string[];
      /** @default null */
      last_used_at: number | null;
    };
    /**
     * ServiceAccountBody
     * @description A new account: at most your own role; ``scopes`` narrow it, none are all its role may.
     */
    ServiceAccountBody: {
      name: string;
      /** @default viewer */
      role: components['schemas']['Role'];
      /** @default [] */
      scopes: string[];
    };
    /**
     * NewServiceToken
     * @description A token, whose text is shown only this once.
     */
    NewServiceToken: {
      id: string;
      created_at: number;
      created_by: string;
      expires_at: number;
      scopes: string[];
      /** @default null */
      last_used_at: number | null;
      token: string;
    };
    /**
     * ServiceTokenBody
     * @description A new token: good for ``ttl_s`` seconds; ``scopes`` narrow it further.
     */
    ServiceTokenBody: {
      /** @default 2592000 */
      ttl_s: number;
      /** @default [] */
      scopes: string[];
    };
    /**
     * SessionsDocument
     * @description Sessions, the newest first: your own, or for an admin those of everybody.
     */
    SessionsDocument: {
      revision: number;
      sessions: components['schemas']['SessionDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * SessionDocument
     * @description What one login began. Times in Unix seconds; ``client`` is what the client said of itself.
     */
    SessionDocument: {
      id: string;
      user: string;
      begun_at: number;
      refreshed_at: number;
      ends_at: number;
      source: string;
      client: string;
      current: boolean;
    };
    /**
     * SpecDocument
     * @description The spec in force; ``revision`` is for If-Match, 0 when there is none yet.
     */
    SpecDocument: {
      revision: number;
      spec: components['schemas']['Spec'] | null;
    };
    /**
     * Spec
     * @description The whole wish: ``size`` nodes, of which each caste takes its share; the rest is spare.
     */
    Spec: {
      colony: string;
      size: number;
      /** @default {} */
      castes: {
        [key: string]: components['schemas']['CasteSpec'];
      };
      /** @default null */
      council: components['schemas']['CouncilSpec'] | null;
      /** @default {} */
      policies: components['schemas']['Policies'];
    };
    /**
     * CasteSpec
     * @description One named share of the work.
     */
    CasteSpec: {
      count: number;
      /** @default {} */
      requires: components['schemas']['Requirements'];
      /** @default null */
      scale: components['schemas']['Scale'] | null;
    };
    /**
     * Policies
     * @description How the queen treats trouble. Times in seconds.
     */
    Policies: {
      /** @default 10 */
      dead_after_s: number;
      /**
       * @default spare
       * @enum {unknown}
       */
      replace_dead: 'never' | 'spare';
      /** @default 10000 */
      keep_events: number;
      /** @default 5000 */
      keep_audit: number;
      /** @default 604800 */
      certificate_lifetime_s: number;
      /** @default 2592000 */
      session_lifetime_s: number;
      /** @default 7776000 */
      service_token_lifetime_s: number;
      /** @default null */
      backup: components['schemas']['BackupPolicy'] | null;
      /** @default {} */
      jobs: components['schemas']['JobPolicy'];
      /** @default null */
      limits: components['schemas']['Limits'] | null;
      /** @default null */
      servers: components['schemas']['ServerPolicy'] | null;
    };
    /**
     * JobPolicy
     * @description How much is remembered of jobs.
     */
    JobPolicy: {
      /** @default 200 */
      keep: number;
      /** @default 256 */
      log_kib: number;
    };
    /**
     * Limits
     * @description Shares of a node, 0 to 1, above which it gets no new work; None: no limit.
     */
    Limits: {
      /** @default null */
      cpu: number | null;
      /** @default null */
      memory: number | null;
      /** @default null */
      disk: number | null;
      /** @default 300 */
      for_s: number;
    };
    /**
     * ServerPolicy
     * @description How nodes that died are replaced. Times in seconds.
     */
    ServerPolicy: {
      /** @enum {unknown} */
      provider: 'socket';
      /** @default 300 */
      after_s: number;
      /** @default 3 */
      most: number;
      /** @default 3600 */
      within_s: number;
      /** @default 900 */
      join_s: number;
      /** @default false */
      eligible: boolean;
    };
    /**
     * SpecChange
     * @description What putting a spec did, or would do when ``dry_run``.
     */
    SpecChange: {
      changed: boolean;
      dry_run: boolean;
      revision: number;
      term: number;
      steps: string[];
      missing_nodes: number;
      surplus_nodes: number;
      before: components['schemas']['Spec'] | null;
      after: components['schemas']['Spec'];
      changes: components['schemas']['Difference'][];
    };
    /**
     * JoinTokensDocument
     * @description All join tokens.
     */
    JoinTokensDocument: {
      tokens: components['schemas']['JoinTokenDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * JoinTokenDocument
     * @description A join token as it is kept: nobody can join with this. Times in Unix seconds.
     */
    JoinTokenDocument: {
      id: string;
      created_at: number;
      created_by: string;
      expires_at: number | null;
      uses_left: number | null;
      node_name: string | null;
      eligible: boolean;
      addresses: string[];
    };
    /**
     * NewJoinToken
     * @description A join token, whose text is shown only this once.
     */
    NewJoinToken: {
      id: string;
      created_at: number;
      created_by: string;
      expires_at: number | null;
      uses_left: number | null;
      node_name: string | null;
      eligible: boolean;
      addresses: string[];
      token: string;
    };
    /**
     * JoinTokenBody
     * @description Limits of a new join token; without them it works for ever, for everybody.
     */
    JoinTokenBody: {
      /** @default 3600 */
      ttl_s: number | null;
      /** @default 1 */
      uses: number | null;
      /** @default null */
      node_name: string | null;
      /** @default false */
      eligible: boolean;
      /** @default [] */
      addresses: string[];
    };
    /**
     * UsersDocument
     * @description All users, sorted by name.
     */
    UsersDocument: {
      revision: number;
      users: components['schemas']['UserDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * UserDocument
     * @description A user, without anything secret. ``provider``: the identity provider it comes by, empty for a local user.
     */
    UserDocument: {
      name: string;
      role: components['schemas']['Role'];
      /** @default  */
      provider: string;
      /** @default  */
      display: string;
    };
    /**
     * UserBody
     * @description A user's role, and a new password where it shall change. A new user needs one.
     */
    UserBody: {
      role: components['schemas']['Role'];
      /** @default null */
      password: string | null;
      /** @default false */
      keep_sessions: boolean;
    };
    /**
     * WebhooksDocument
     * @description All webhooks, oldest first.
     */
    WebhooksDocument: {
      webhooks: components['schemas']['WebhookDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * WebhookDocument
     * @description A webhook and how it is, as it was written last. ``position``: all events up to this revision are settled.
     */
    WebhookDocument: {
      id: string;
      url: string;
      filter: components['schemas']['EventFilter'];
      description: string;
      ca: string;
      retry_s: number;
      pause_after_s: number;
      paused: string;
      created_at: number;
      created_by: string;
      changed_at: number;
      revision: number;
      signatures: number;
      position: number;
      delivered: number;
      failed_attempts: number;
      dead: number;
      dropped: number;
      missed: number;
      failing_since: number;
      reason: string;
      breaker: components['schemas']['BreakerState'];
    };
    /**
     * EventFilter
     * @description The filter. One that says nothing wants everything.
     */
    EventFilter: {
      /** @default [] */
      type: string[];
      /** @default info */
      severity: components['schemas']['Severity'];
      /** @default [] */
      subject: string[];
      /** @default [] */
      caste: string[];
      /** @default [] */
      actor: string[];
    };
    /**
     * BreakerState
     * @description What passes: everything, one trial, nothing.
     * @enum {unknown}
     */
    BreakerState: 'closed' | 'half-open' | 'open';
    /**
     * NewWebhookDocument
     * @description The secret is in this answer and nowhere else.
     */
    NewWebhookDocument: {
      id: string;
      secret: string;
      revision: number;
    };
    /**
     * WebhookBody
     * @description A receiver. ``secret`` is ``whsec_`` and base64, made when it is left out; ``ca`` is PEM, for private CAs.
     */
    WebhookBody: {
      url: string;
      /** @default {} */
      filter: components['schemas']['EventFilter'];
      /** @default null */
      secret: string | null;
      /** @default  */
      description: string;
      /** @default  */
      ca: string;
      /** @default 3600 */
      retry_s: number;
      /** @default 86400 */
      pause_after_s: number;
    };
    /**
     * WebhookPatch
     * @description What is to be changed. ``paused`` stops and starts it; events of the time between are delivered then.
     */
    WebhookPatch: {
      /** @default null */
      url: string | null;
      /** @default null */
      filter: components['schemas']['EventFilter'] | null;
      /** @default null */
      description: string | null;
      /** @default null */
      ca: string | null;
      /** @default null */
      retry_s: number | null;
      /** @default null */
      pause_after_s: number | null;
      /** @default null */
      paused: boolean | null;
    };
    /**
     * SecretBody
     * @description A new secret, made when it is left out; deliveries carry both signatures for ``keep_old_s`` seconds.
     */
    SecretBody: {
      /** @default null */
      secret: string | null;
      /** @default 86400 */
      keep_old_s: number;
    };
    /**
     * WebhookTestDocument
     * @description What came back: ``answer`` is the beginning of the receiver's; ``reason`` says why there is none.
     */
    WebhookTestDocument: {
      event: string;
      delivered: boolean;
      status: number;
      answer: string;
      reason: string;
      duration_s: number;
    };
    /**
     * DeliveriesDocument
     * @description The last deliveries that ended, the newest last.
     */
    DeliveriesDocument: {
      deliveries: components['schemas']['DeliveryResult'][];
      /** @default null */
      next: string | null;
    };
    /**
     * DeliveryResult
     * @description How the delivery of one event ended.
     */
    DeliveryResult: {
      event: string;
      type: string;
      revision: number;
      at: number;
      delivered: boolean;
      attempts: number;
      /** @default 0 */
      status: number;
      /** @default  */
      reason: string;
      /** @default 0 */
      duration_s: number;
    };
    /**
     * DeadLettersDocument
     * @description What could not be delivered, oldest first.
     */
    DeadLettersDocument: {
      dead: components['schemas']['DeadLetterDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * DeadLetterDocument
     * @description An event that was given up. ``replay``: it is tried again now.
     */
    DeadLetterDocument: {
      event: components['schemas']['EventDocument'];
      attempts: number;
      reason: string;
      status: number;
      at: number;
      replay: boolean;
    };
    /**
     * AuditDocumentFields
     * @description As AuditDocument, with chosen fields of lines.
     */
    AuditDocumentFields: {
      lines: {
        time?: number;
        action?: string;
        /** @default  */
        actor: string;
        /** @default anonymous */
        kind: components['schemas']['Kind'];
        /** @default  */
        role: string;
        /** @default  */
        source: string;
        /** @default  */
        credential: string;
        /** @default  */
        request: string;
        /** @default  */
        route: string;
        /** @default  */
        member: string;
        /** @default  */
        subject: string;
        /** @default done */
        result: components['schemas']['Result'];
        /** @default 200 */
        status: number;
        /** @default  */
        code: string;
        /** @default  */
        change: string;
        /** @default 1 */
        count: number;
        seq?: number;
        term?: number;
        prev?: string;
        /** @default  */
        hash: string;
        /** @default  */
        key: string;
        /** @default  */
        seal: string;
      }[];
      next: string | null;
      first: number;
      head: components['schemas']['Head'];
      keys: string[];
    };
    /**
     * BackupsDocumentFields
     * @description As BackupsDocument, with chosen fields of backups.
     */
    BackupsDocumentFields: {
      policy: components['schemas']['BackupPolicy'] | null;
      next_at: number | null;
      requested_at: number;
      failed_at: number;
      failure: string;
      failures: number;
      backups: {
        name?: string;
        created_at?: number;
        revision?: number;
        term?: number;
        bytes?: number;
        sha256?: string;
        target?: string;
        node?: string;
        actor?: string;
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * CastesDocumentFields
     * @description As CastesDocument, with chosen fields of castes.
     */
    CastesDocumentFields: {
      revision: number;
      wanted_size: number;
      missing_servers: number;
      castes: {
        name?: string;
        wanted?: number;
        count?: number;
        scale?: components['schemas']['ScaleDocument'] | null;
        requires?: components['schemas']['Requirements'];
        members?: components['schemas']['NodeName'][];
        missing?: number;
        could?: components['schemas']['NodeName'][];
        reason?: string;
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * VersionsDocumentFields
     * @description As VersionsDocument, with chosen fields of versions.
     */
    VersionsDocumentFields: {
      oldest: number;
      versions: {
        revision?: number;
        version?: number;
        at?: number;
        actor?: string;
        term?: number;
        message?: string;
        current?: boolean;
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * EventsDocumentFields
     * @description As EventsDocument, with chosen fields of events.
     */
    EventsDocumentFields: {
      revision: number;
      oldest: number;
      more: boolean;
      events: {
        id?: string;
        time?: number;
        term?: number;
        actor?: string;
        type?: string;
        subject?: string;
        message?: string;
        /** @default info */
        severity: components['schemas']['Severity'];
        /** @default {} */
        payload: Record<string, never>;
        revision?: number;
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * OperationsDocumentFields
     * @description As OperationsDocument, with chosen fields of operations.
     */
    OperationsDocumentFields: {
      node: string;
      operations: {
        name?: string;
        description?: string;
        built_in?: boolean;
        playbook?: string;
        parameters?: Record<string, never>;
        role?: string;
        time_limit_s?: number;
        concurrency?: number;
        group?: string;
        castes?: string[];
        uses?: string[];
        idempotent?: boolean;
        file?: string;
        members?: string[];
      }[];
      skipped: components['schemas']['SkippedFile'][];
      members: components['schemas']['RunnerDocument'][];
      /** @default null */
      next: string | null;
    };
    /**
     * JobsDocumentFields
     * @description As JobsDocument, with chosen fields of jobs.
     */
    JobsDocumentFields: {
      jobs: {
        id?: string;
        operation?: string;
        state?: components['schemas']['JobState'];
        reason?: string;
        message?: string;
        parameters?: Record<string, never>;
        secrets?: string[];
        hosts?: string[];
        actor?: string;
        reference?: string;
        node?: string;
        term?: number;
        attempt?: number;
        created_at?: number;
        started_at?: number;
        ended_at?: number;
        cancelled_by?: string;
        retry_of?: string;
        play?: string;
        task?: string;
        hosts_done?: {
          [key: string]: components['schemas']['HostProgress'];
        };
        more_hosts?: number;
        log_bytes?: number;
        log_cut?: number;
        revision?: number;
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * NodesDocumentFields
     * @description As NodesDocument, with chosen fields of nodes.
     */
    NodesDocumentFields: {
      revision: number;
      term: number;
      nodes: {
        id?: string;
        name?: string;
        address?: string;
        url?: string;
        /** @enum {unknown} */
        role?: 'heir' | 'member' | 'queen' | 'worker';
        status?: components['schemas']['Status'];
        status_since?: number;
        caste?: string;
        leaving?: number | null;
        pinned?: string[];
        eligible?: boolean;
        candidate?: boolean;
        priority?: number;
        rank?: number | null;
        cordoned?: boolean;
        drained?: boolean;
        over?: ('cpu' | 'disk' | 'memory')[];
        away?: components['schemas']['Away'] | null;
        labels?: {
          [key: string]: string;
        };
        capabilities?: components['schemas']['Capabilities'];
        version?: string;
        joined_at?: number;
        process?: string;
        origin?: string;
        config_version?: number;
        config_applied?: boolean;
        revision?: number;
        /** @default {} */
        vars: {
          [key: string]: unknown;
        };
        /** @default null */
        last_heartbeat: number | null;
        /** @default null */
        load: components['schemas']['LoadView'] | null;
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * DeniedKeysDocumentFields
     * @description As DeniedKeysDocument, with chosen fields of keys.
     */
    DeniedKeysDocumentFields: {
      keys: {
        key?: string;
        node_id?: string;
        name?: string;
        removed_at?: number;
        removed_by?: string;
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * ServiceAccountsDocumentFields
     * @description As ServiceAccountsDocument, with chosen fields of accounts.
     */
    ServiceAccountsDocumentFields: {
      revision: number;
      accounts: {
        name?: string;
        role?: components['schemas']['Role'];
        scopes?: string[];
        owner?: string;
        created_at?: number;
        tokens?: components['schemas']['ServiceTokenDocument'][];
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * SessionsDocumentFields
     * @description As SessionsDocument, with chosen fields of sessions.
     */
    SessionsDocumentFields: {
      revision: number;
      sessions: {
        id?: string;
        user?: string;
        begun_at?: number;
        refreshed_at?: number;
        ends_at?: number;
        source?: string;
        client?: string;
        current?: boolean;
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * JoinTokensDocumentFields
     * @description As JoinTokensDocument, with chosen fields of tokens.
     */
    JoinTokensDocumentFields: {
      tokens: {
        id?: string;
        created_at?: number;
        created_by?: string;
        expires_at?: number | null;
        uses_left?: number | null;
        node_name?: string | null;
        eligible?: boolean;
        addresses?: string[];
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * UsersDocumentFields
     * @description As UsersDocument, with chosen fields of users.
     */
    UsersDocumentFields: {
      revision: number;
      users: {
        name?: string;
        role?: components['schemas']['Role'];
        /** @default  */
        provider: string;
        /** @default  */
        display: string;
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * WebhooksDocumentFields
     * @description As WebhooksDocument, with chosen fields of webhooks.
     */
    WebhooksDocumentFields: {
      webhooks: {
        id?: string;
        url?: string;
        filter?: components['schemas']['EventFilter'];
        description?: string;
        ca?: string;
        retry_s?: number;
        pause_after_s?: number;
        paused?: string;
        created_at?: number;
        created_by?: string;
        changed_at?: number;
        revision?: number;
        signatures?: number;
        position?: number;
        delivered?: number;
        failed_attempts?: number;
        dead?: number;
        dropped?: number;
        missed?: number;
        failing_since?: number;
        reason?: string;
        breaker?: components['schemas']['BreakerState'];
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * DeliveriesDocumentFields
     * @description As DeliveriesDocument, with chosen fields of deliveries.
     */
    DeliveriesDocumentFields: {
      deliveries: {
        event?: string;
        type?: string;
        revision?: number;
        at?: number;
        delivered?: boolean;
        attempts?: number;
        /** @default 0 */
        status: number;
        /** @default  */
        reason: string;
        /** @default 0 */
        duration_s: number;
      }[];
      /** @default null */
      next: string | null;
    };
    /**
     * DeadLettersDocumentFields
     * @description As DeadLettersDocument, with chosen fields of dead.
     */
    DeadLettersDocumentFields: {
      dead: {
        event?: components['schemas']['EventDocument'];
        attempts?: number;
        reason?: string;
        status?: number;
        at?: number;
        replay?: boolean;
      }[];
      /** @default null */
      next: string | null;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
  read_cluster_v1_cluster_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ClusterDocument'];
        };
      };
    };
  };
  list_castes_v1_castes_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['CastesDocument'] | components['schemas']['CastesDocumentFields'];
        };
      };
    };
  };
  read_caste_v1_castes__name__get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example web */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['CasteInFull'];
        };
      };
    };
  };
  put_demand_v1_castes__name__demand_put: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example web */
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "value": 1250
         *     }
         */
        'application/json': components['schemas']['DemandBody'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  read_members_v1_council_members_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['CouncilMembersDocument'];
        };
      };
    };
  };
  move_seat_v1_council_move_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "from": "demo-3",
         *       "to": "demo-4"
         *     }
         */
        'application/json': components['schemas']['MoveBody'];
      };
    };
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['MovingDocument'];
        };
      };
    };
  };
  read_election_v1_election_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Explanation'];
        };
      };
    };
  };
  read_spec_v1_spec_get: {
    parameters: {
      query?: {
        /** @description as of this revision, if that is still kept (else 410) */
        at?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['SpecDocument'];
        };
      };
    };
  };
  put_spec_v1_spec_put: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "colony": "demo",
         *       "size": 5,
         *       "castes": {
         *         "web": {
         *           "count": 2,
         *           "requires": {
         *             "vcpus": 2
         *           }
         *         }
         *       }
         *     }
         */
        'application/json': components['schemas']['Spec'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['SpecChange'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  read_history_v1_spec_history_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['VersionsDocument'] | components['schemas']['VersionsDocumentFields'];
        };
      };
    };
  };
  diff_spec_v1_spec_diff_get: {
    parameters: {
      query: {
        /** @description revision to compare from */
        from: number;
        /** @description revision to compare with; without: now */
        to?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DiffDocument'];
        };
      };
    };
  };
  roll_back_spec_v1_spec_rollback_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "revision": 7
         *     }
         */
        'application/json': components['schemas']['RollbackBody'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['SpecChange'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  list_nodes_v1_nodes_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
        /** @description only nodes with this status, or one of these */
        status?: components['schemas']['Status'][];
        /** @description only nodes of this caste; spare: of none */
        caste?: string;
        /** @description only nodes with this label, KEY=VALUE; may be repeated */
        label?: string[];
        /** @description only nodes of this zone */
        zone?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['NodesDocument'] | components['schemas']['NodesDocumentFields'];
        };
      };
    };
  };
  read_node_v1_nodes__node__get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['NodeView'];
        };
      };
    };
  };
  remove_node_v1_nodes__node__delete: {
    parameters: {
      query?: {
        /** @description even if it is alive */
        force?: boolean;
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  change_node_v1_nodes__node__patch: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "labels": {
         *         "rack": "7"
         *       },
         *       "cordoned": true
         *     }
         */
        'application/json': components['schemas']['NodePatch'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['NodeChange'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  send_away_v1_nodes__node__away_put: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "reason": "a new disk"
         *     }
         */
        'application/json': components['schemas']['AwayBody'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['NodeChange'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  bring_back_v1_nodes__node__away_delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['NodeChange'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  list_denied_v1_denied_keys_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['DeniedKeysDocument'] | components['schemas']['DeniedKeysDocumentFields'];
        };
      };
    };
  };
  allow_key_v1_denied_keys__key__delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example ppppppppppppppppppppppppppppppppppppppppppp */
        key: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  read_config_v1_nodes__node__config_get: {
    parameters: {
      query?: {
        /** @description as of this revision, if that is still kept (else 410) */
        at?: number;
      };
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ConfigDocument'];
        };
      };
    };
  };
  put_config_v1_nodes__node__config_put: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "config": {
         *         "agent": {
         *           "log_level": "debug"
         *         },
         *         "vars": {
         *           "tier": 1
         *         }
         *       }
         *     }
         */
        'application/json': components['schemas']['ConfigBody'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ConfigChange'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  read_history_v1_nodes__node__config_history_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['VersionsDocument'] | components['schemas']['VersionsDocumentFields'];
        };
      };
    };
  };
  diff_config_v1_nodes__node__config_diff_get: {
    parameters: {
      query: {
        /** @description revision to compare from */
        from: number;
        /** @description revision to compare with; without: now */
        to?: number;
      };
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DiffDocument'];
        };
      };
    };
  };
  roll_back_config_v1_nodes__node__config_rollback_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "revision": 7
         *     }
         */
        'application/json': components['schemas']['RollbackBody'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['ConfigRollback'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  command_node_v1_nodes__node__commands_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "command": {
         *         "type": "log-level",
         *         "level": "debug"
         *       }
         *     }
         */
        'application/json': components['schemas']['CommandBody'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['CommandAnswer'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  read_channel_v1_nodes__node__channel_get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example demo-2 */
        node: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChannelState'];
        };
      };
    };
  };
  read_queen_v1_queen_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['QueenDocument'];
        };
      };
    };
  };
  step_down_v1_queen_step_down_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['HandOver'];
        };
      };
    };
  };
  transfer_v1_queen_transfer_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "node": "demo-2"
         *     }
         */
        'application/json': components['schemas']['TransferBody'];
      };
    };
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['HandOver'];
        };
      };
    };
  };
  list_events_v1_events_get: {
    parameters: {
      query?: {
        /** @description only events after this revision */
        since?: number;
        /** @description about so many; a revision is never cut */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
        /** @description node.*, queen.elected; several: any */
        type?: string[];
        /** @description what it happened to; patterns as for type */
        subject?: string[];
        /** @description a caste of the node it happened to, now */
        caste?: string[];
        /** @description who did it */
        actor?: string[];
        /** @description this and worse: info, notice, warning, error */
        severity?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['EventsDocument'] | components['schemas']['EventsDocumentFields'];
        };
      };
    };
  };
  stream_v1_events_stream_get: {
    parameters: {
      query?: {
        /** @description resume after this revision */
        since?: number;
        /** @description node.*, queen.elected; several: any */
        type?: string[];
        /** @description what it happened to; patterns as for type */
        subject?: string[];
        /** @description a caste of the node it happened to, now */
        caste?: string[];
        /** @description who did it */
        actor?: string[];
        /** @description this and worse: info, notice, warning, error */
        severity?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'text/event-stream': components['schemas']['SentEvent'];
        };
      };
    };
  };
  read_inventory_v1_inventory_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['InventoryDocument'];
        };
      };
    };
  };
  log_in_v1_auth_token_post: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "username": "vera",
         *       "password": "not the right one"
         *     }
         */
        'application/json': components['schemas']['Login'];
      };
    };
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Tokens'];
        };
      };
    };
  };
  log_out_v1_auth_token_delete: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'];
        };
      };
    };
  };
  refresh_v1_auth_refresh_post: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "refresh_token": "what a login answered"
         *     }
         */
        'application/json': components['schemas']['Refresh'];
      };
    };
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Tokens'];
        };
      };
    };
  };
  me_v1_auth_me_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Me'];
        };
      };
    };
  };
  ticket_v1_auth_ticket_post: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Ticket'];
        };
      };
    };
  };
  ways_v1_auth_providers_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['LoginWays'];
        };
      };
    };
  };
  begin_v1_auth_oidc__name__login_get: {
    parameters: {
      query: {
        redirect_uri: string;
        code_challenge: string;
        state?: string;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: never;
  };
  returned_v1_auth_oidc__name__callback_get: {
    parameters: {
      query: {
        state: string;
        code?: string;
        error?: string;
        iss?: string;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: never;
  };
  exchange_v1_auth_exchange_post: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "provider": "corp",
         *       "token": "an ID token of it"
         *     }
         */
        'application/json': components['schemas']['Exchange'];
      };
    };
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Tokens'];
        };
      };
    };
  };
  list_users_v1_users_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['UsersDocument'] | components['schemas']['UsersDocumentFields'];
        };
      };
    };
  };
  read_user_v1_users__name__get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['UserDocument'];
        };
      };
    };
  };
  put_user_v1_users__name__put: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "role": "viewer",
         *       "password": "a long enough one"
         *     }
         */
        'application/json': components['schemas']['UserBody'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  delete_user_v1_users__name__delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  list_providers_v1_identity_providers_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ProvidersDocument'];
        };
      };
    };
  };
  read_provider_v1_identity_providers__name__get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ProviderDocument'];
        };
      };
    };
  };
  put_provider_v1_identity_providers__name__put: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "oidc",
         *       "issuer": "https://id.example.org",
         *       "client_id": "aware",
         *       "rules": [
         *         {
         *           "role": "operator",
         *           "values": [
         *             "ops"
         *           ]
         *         }
         *       ]
         *     }
         */
        'application/json': components['schemas']['ProviderBody'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  delete_provider_v1_identity_providers__name__delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  list_secrets_v1_secrets_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ColonySecretsDocument'];
        };
      };
    };
  };
  read_secret_v1_secrets__name__get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ColonySecretDocument'];
        };
      };
    };
  };
  put_secret_v1_secrets__name__put: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "openstack",
         *       "cloud": {
         *         "auth_type": "v3applicationcredential",
         *         "auth": {
         *           "auth_url": "https://keystone.example/v3",
         *           "application_credential_id": "21dced0fd20347869b93710d2b98aae0",
         *           "application_credential_secret": "what the cloud said once"
         *         }
         *       }
         *     }
         */
        'application/json': components['schemas']['ColonySecretBody'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  delete_secret_v1_secrets__name__delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  list_accounts_v1_service_accounts_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            | components['schemas']['ServiceAccountsDocument']
            | components['schemas']['ServiceAccountsDocumentFields'];
        };
      };
    };
  };
  create_account_v1_service_accounts_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "name": "deploy",
         *       "role": "operator",
         *       "scopes": [
         *         "nodes:cordon@caste=web",
         *         "*:read"
         *       ]
         *     }
         */
        'application/json': components['schemas']['ServiceAccountBody'];
      };
    };
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'];
        };
      };
    };
  };
  read_account_v1_service_accounts__name__get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ServiceAccountDocument'];
        };
      };
    };
  };
  delete_account_v1_service_accounts__name__delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  create_token_v1_service_accounts__name__tokens_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "ttl_s": 86400,
         *       "scopes": [
         *         "nodes:cordon@caste=web"
         *       ]
         *     }
         */
        'application/json': components['schemas']['ServiceTokenBody'];
      };
    };
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['NewServiceToken'];
        };
      };
    };
  };
  revoke_token_v1_service_accounts__name__tokens__token_id__delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
        /** @example 0f1e2d3c4b5a6978 */
        token_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  list_sessions_v1_sessions_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['SessionsDocument'] | components['schemas']['SessionsDocumentFields'];
        };
      };
    };
  };
  end_everybodys_v1_sessions_delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  end_session_v1_sessions__session_id__delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 00000000000000000000000000000000 */
        session_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  end_a_users_v1_users__name__sessions_delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example vera */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  list_tokens_v1_tokens_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['JoinTokensDocument'] | components['schemas']['JoinTokensDocumentFields'];
        };
      };
    };
  };
  create_token_v1_tokens_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "ttl_s": 3600,
         *       "uses": 1,
         *       "node_name": "demo-6"
         *     }
         */
        'application/json': components['schemas']['JoinTokenBody'];
      };
    };
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['NewJoinToken'];
        };
      };
    };
  };
  revoke_token_v1_tokens__token_id__delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 0f1e2d3c4b5a6978 */
        token_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  join_v1_join_post: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "colony": "demo",
         *       "token_id": "0f1e2d3c4b5a6978",
         *       "secret": "of the join token",
         *       "csr": "-----BEGIN CERTIFICATE REQUEST-----",
         *       "node_id": "01HF7YAT00000000000000000H",
         *       "name": "demo-6",
         *       "address": "192.0.2.6",
         *       "url": "https://192.0.2.6:8443",
         *       "box_key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
         *       "signature": "AAAA"
         *     }
         */
        'application/json': components['schemas']['JoinRequest'];
      };
    };
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['JoinAnswer'];
        };
      };
    };
  };
  renew_v1_renew_post: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "colony": "demo",
         *       "node_id": "01HF7YAT00000000000000000H",
         *       "address": "192.0.2.6",
         *       "csr": "-----BEGIN CERTIFICATE REQUEST-----",
         *       "sent_at": 1800000000,
         *       "nonce": "nnnnnnnnnnnnnnnnnnnnnn",
         *       "box_key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
         *       "signature": "AAAA"
         *     }
         */
        'application/json': components['schemas']['RenewRequest'];
      };
    };
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['JoinAnswer'];
        };
      };
    };
  };
  read_rotation_v1_rotation_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['RotationDocument'];
        };
      };
    };
  };
  order_rotation_v1_rotation_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "action": "start",
         *       "hold": true
         *     }
         */
        'application/json': components['schemas']['RotationBody'];
      };
    };
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'];
        };
      };
    };
  };
  sign_v1_hooks_sign_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "operation": "scale",
         *       "ttl_s": 3600,
         *       "delta": 1,
         *       "caste": "web",
         *       "max_size": 9
         *     }
         */
        'application/json': components['schemas']['SignBody'];
      };
    };
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['SignedHook'];
        };
      };
    };
  };
  call_v1_hooks_heat__cluster__post: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example demo */
        cluster: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "operation": "scale",
         *       "delta": 1,
         *       "reference": "stack-7"
         *     }
         */
        'application/json': components['schemas']['HookCall'];
      };
    };
    responses: {
      /** @description Successful Response */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['JobDocument'];
        };
      };
    };
  };
  list_operations_v1_operations_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['OperationsDocument'] | components['schemas']['OperationsDocumentFields'];
        };
      };
    };
  };
  list_jobs_v1_jobs_get: {
    parameters: {
      query?: {
        /** @description only jobs in this state */
        state?: components['schemas']['JobState'];
        /** @description only jobs of this operation */
        operation?: string;
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['JobsDocument'] | components['schemas']['JobsDocumentFields'];
        };
      };
    };
  };
  run_job_v1_jobs_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "operation": "restart-web",
         *       "parameters": {
         *         "graceful": true
         *       },
         *       "hosts": [
         *         "demo-2"
         *       ]
         *     }
         */
        'application/json': components['schemas']['JobBody'];
      };
    };
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['JobDocument'];
        };
      };
    };
  };
  read_job_v1_jobs__job_id__get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        job_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['JobDocument'];
        };
      };
    };
  };
  read_log_v1_jobs__job_id__log_get: {
    parameters: {
      query?: {
        /** @description from this part on */
        start?: number;
        /** @description server-sent events until the job ends */
        follow?: boolean;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        job_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['LogDocument'];
          'text/event-stream': components['schemas']['SentEvent'];
        };
      };
    };
  };
  cancel_job_v1_jobs__job_id__cancel_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        job_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['JobDocument'];
        };
      };
    };
  };
  retry_job_v1_jobs__job_id__retry_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        job_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['JobDocument'];
        };
      };
    };
  };
  list_webhooks_v1_webhooks_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['WebhooksDocument'] | components['schemas']['WebhooksDocumentFields'];
        };
      };
    };
  };
  create_webhook_v1_webhooks_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "url": "https://hooks.example/aware",
         *       "filter": {
         *         "type": [
         *           "node.*"
         *         ],
         *         "severity": "warning"
         *       }
         *     }
         */
        'application/json': components['schemas']['WebhookBody'];
      };
    };
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['NewWebhookDocument'];
        };
      };
    };
  };
  read_webhook_v1_webhooks__webhook_id__get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        webhook_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['WebhookDocument'];
        };
      };
    };
  };
  remove_webhook_v1_webhooks__webhook_id__delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        webhook_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  change_webhook_v1_webhooks__webhook_id__patch: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        webhook_id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "paused": true
         *     }
         */
        'application/json': components['schemas']['WebhookPatch'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  rotate_secret_v1_webhooks__webhook_id__secret_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        webhook_id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "keep_old_s": 86400
         *     }
         */
        'application/json': components['schemas']['SecretBody'];
      };
    };
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['NewWebhookDocument'];
        };
      };
    };
  };
  test_webhook_v1_webhooks__webhook_id__test_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        webhook_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['WebhookTestDocument'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  list_deliveries_v1_webhooks__webhook_id__deliveries_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        webhook_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['DeliveriesDocument'] | components['schemas']['DeliveriesDocumentFields'];
        };
      };
    };
  };
  list_dead_v1_webhooks__webhook_id__dead_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        webhook_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['DeadLettersDocument'] | components['schemas']['DeadLettersDocumentFields'];
        };
      };
    };
  };
  drop_all_v1_webhooks__webhook_id__dead_delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        webhook_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  replay_all_v1_webhooks__webhook_id__dead_replay_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        webhook_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'];
        };
      };
    };
  };
  replay_one_v1_webhooks__webhook_id__dead__event_id__replay_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        webhook_id: string;
        /** @example 01HF7YAT00000000000000000H */
        event_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'];
        };
      };
    };
  };
  drop_one_v1_webhooks__webhook_id__dead__event_id__delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example 01HF7YAT00000000000000000H */
        webhook_id: string;
        /** @example 01HF7YAT00000000000000000H */
        event_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Change'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  list_backups_v1_backups_get: {
    parameters: {
      query?: {
        /** @description at most so many items */
        limit?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['BackupsDocument'] | components['schemas']['BackupsDocumentFields'];
        };
      };
    };
  };
  request_backup_v1_backups_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['BackupsDocument'];
        };
      };
    };
  };
  begin_check_v1_check_post: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "run": "cccccccccccccccccccccccccccccccc"
         *     }
         */
        'application/json': components['schemas']['CheckBody'];
      };
    };
    responses: {
      /** @description What would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRunDocument'];
        };
      };
      /** @description Successful Response */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['CheckChange'];
        };
      };
    };
  };
  read_check_v1_check__run__get: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example cccccccccccccccccccccccccccccccc */
        run: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['CheckDocument'];
        };
      };
    };
  };
  write_check_v1_check__run__put: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example cccccccccccccccccccccccccccccccc */
        run: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "value": 1
         *     }
         */
        'application/json': components['schemas']['CheckPut'];
      };
    };
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['CheckChange'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  end_check_v1_check__run__delete: {
    parameters: {
      query?: {
        /** @description only say what would happen; it is validated as the real thing, and nothing is written */
        dry_run?: boolean;
      };
      header?: never;
      path: {
        /** @example cccccccccccccccccccccccccccccccc */
        run: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Done, or what would be done */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['CheckChange'] | components['schemas']['DryRunDocument'];
        };
      };
    };
  };
  read_audit_v1_audit_get: {
    parameters: {
      query?: {
        /** @description only lines after this one */
        after?: number;
        /** @description at most so many lines */
        limit?: number;
        /** @description begin so many lines before the end */
        last?: number;
        /** @description `next` of the page before */
        cursor?: string;
        /** @description only these fields of each item, with commas between */
        fields?: string;
        /** @description not before this moment, Unix seconds */
        since?: number;
        /** @description before this moment, Unix seconds */
        until?: number;
        /** @description only of this user, node or service account */
        who?: string;
        /** @description only what starts like this: a command, an event, PUT /v1/spec */
        what?: string;
        /** @description only what was done, or was refused */
        result?: components['schemas']['Result'];
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json':
            components['schemas']['AuditDocument'] | components['schemas']['AuditDocumentFields'];
        };
      };
    };
  };
  read_targets_v1_monitoring_targets_get: {
    parameters: {
      query?: {
        /** @description gateways of all nodes, or the members of etcd */
        job?: 'aware' | 'etcd';
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['TargetsDocument'][];
        };
      };
    };
  };
  healthz_healthz_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Health'];
        };
      };
    };
  };
  readyz_readyz_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Readiness'];
        };
      };
    };
  };
  queen_readyz_readyz_queen_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Readiness'];
        };
      };
    };
  };
  metrics_metrics_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'text/plain': string;
        };
      };
    };
  };
  ca_v1_ca_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/x-pem-file': string;
        };
      };
    };
  };
  council_v1_council_get: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Successful Response */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['CouncilDocument'];
        };
      };
    };
  };
}
