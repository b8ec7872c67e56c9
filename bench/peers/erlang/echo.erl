%% Erlang's echo server: acceptors, a supervisor, and a gen_server for each connection, which ends after a minute of
%% silence. active=once asks for each piece of input, active=n for a hundred at a time.
-module(echo).
-behaviour(supervisor).
-behaviour(gen_server).
-export([serve/3, start_connection/2, init/1, handle_call/3, handle_cast/2, handle_info/2]).
-define(IDLE, 60000).
-define(MANY, 100).

%% Serves until the standard input ends.
serve(Port, Active, Work) ->
    {ok, Listener} = gen_tcp:listen(Port, [binary, {ip, {127, 0, 0, 1}}, {active, false}, {reuseaddr, true}, {backlog, 1024}]),
    {ok, Supervisor} = supervisor:start_link(?MODULE, supervisor),
    [spawn_link(fun() -> accept(Listener, Supervisor, Active, Work) end) || _ <- lists:seq(1, 4)],
    io:format("{\"ready\":true}~n"),
    until_end().

until_end() ->
    case io:get_line("") of
        eof -> ok;
        _ -> until_end()
    end.

accept(Listener, Supervisor, Active, Work) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    {ok, Pid} = supervisor:start_child(Supervisor, [{Socket, Active, Work}]),
    case gen_tcp:controlling_process(Socket, Pid) of
        ok -> Pid ! yours;
        {error, _} -> gen_tcp:close(Socket)
    end,
    accept(Listener, Supervisor, Active, Work).

start_connection(connection, Args) -> gen_server:start_link(?MODULE, Args, []).

init(supervisor) ->
    {ok, {#{strategy => simple_one_for_one},
          [#{id => connection, start => {?MODULE, start_connection, [connection]}, restart => temporary}]}};
init(State) ->
    {ok, State, ?IDLE}.

handle_call(_, _, State) -> {noreply, State, ?IDLE}.
handle_cast(_, State) -> {noreply, State, ?IDLE}.

handle_info({tcp, Socket, Data}, {Socket, Active, Work} = State) ->
    compute_for(Work),
    case gen_tcp:send(Socket, Data) of
        ok -> again(Active, State);
        {error, _} -> {stop, normal, State}
    end;
handle_info({tcp_passive, Socket}, {Socket, _, _} = State) -> go_on([{active, ?MANY}], State);
handle_info(yours, {_, once, _} = State) -> go_on([{active, once}], State);
handle_info(yours, {_, n, _} = State) -> go_on([{active, ?MANY}], State);
handle_info({tcp_closed, _}, State) -> {stop, normal, State};
handle_info({tcp_error, _, _}, State) -> {stop, normal, State};
handle_info(timeout, State) -> {stop, normal, State}.

again(once, State) -> go_on([{active, once}], State);
again(n, State) -> {noreply, State, ?IDLE}.

go_on(Options, {Socket, _, _} = State) ->
    case inet:setopts(Socket, Options) of
        ok -> {noreply, State, ?IDLE};
        {error, _} -> {stop, normal, State}
    end.

%% What a server does with a piece of input that takes its time.
compute_for(0) -> ok;
compute_for(Work) -> compute_until(erlang:monotonic_time(microsecond) + Work).

compute_until(End) ->
    case erlang:monotonic_time(microsecond) < End of
        true -> compute_until(End);
        false -> ok
    end.
